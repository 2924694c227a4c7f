//! What a destructor does that would have to wait while its greenlet unwinds: an error where there is one to
//! return. A panic would end the process.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::os::fd::{wait_readable, wait_writable};
use greenlet::os::{Interest, PollFd, poll, select};
use greenlet::pool::ThreadPool;
use greenlet::process::{Command, Stdio};
use greenlet::server::{StreamServer, ThreadedServer};
use greenlet::{dns, fs, signal, sleep, spawn, yield_now};

use crate::passes;

/// Calls a function when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0.take().unwrap()();
    }
}

/// Calls `f` in a destructor of a greenlet that is killed.
fn while_unwinding(f: impl FnOnce() + 'static) {
    let task = spawn(move || {
        let _on_drop = OnDrop(Some(f));
        sleep(Duration::from_secs(1000));
    });
    yield_now();
    task.kill().unwrap();
    assert!(task.join().unwrap_err().is_killed());
}

fn is_refused<T: Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().to_string() == "a greenlet cannot wait while it unwinds"
}

#[test]
fn waiting_for_a_descriptor_in_a_destructor_is_an_error() {
    passes("destructors::waiting_for_a_descriptor_in_a_destructor_is_an_error", || {
        while_unwinding(|| {
            let (reader, writer) = io::pipe().unwrap();
            assert!(is_refused(wait_readable(&reader, None)));
            assert!(is_refused(poll(&mut [PollFd::new(&reader, Interest::Read)], None)));
            assert!(is_refused(select(&[reader.as_fd()], &[], None)));
            // What is ready is not waited for.
            wait_writable(&writer, None).unwrap();
            assert_eq!(poll(&mut [], Some(Duration::ZERO)).unwrap(), 0);
        });
    });
}

#[test]
fn waiting_for_a_process_in_a_destructor_is_an_error() {
    passes("destructors::waiting_for_a_process_in_a_destructor_is_an_error", || {
        let sleeper = || {
            let mut command = Command::new("sleep");
            command.arg("1000").stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
        };
        let (mut child, other) = (sleeper(), sleeper());
        while_unwinding(move || {
            assert!(is_refused(child.wait()));
            assert!(is_refused(child.wait_timeout(Duration::from_secs(1000))));
            child.kill().unwrap();
            while child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            child.wait().unwrap();
        });
        while_unwinding(move || assert!(is_refused(other.wait_with_output())));
        while_unwinding(|| {
            // It is not even looked for.
            let mut command = Command::new("/no/such/program");
            assert!(is_refused(command.status()));
            assert!(is_refused(command.output()));
        });
    });
}

#[test]
fn a_thread_is_given_nothing_to_do_by_a_destructor_that_would_wait_for_it() {
    passes("destructors::a_thread_is_given_nothing_to_do_by_a_destructor_that_would_wait_for_it", || {
        while_unwinding(|| {
            let pool = ThreadPool::new(1);
            assert!(is_refused(pool.run(|| unreachable!("nobody waits for it"))));
            assert_eq!(pool.threads(), 0);
            assert!(dns::lookup("localhost").is_err());
            assert!(fs::exists("/").unwrap());
        });
    });
}

#[test]
fn waiting_for_a_signal_in_a_destructor_is_an_error() {
    passes("destructors::waiting_for_a_signal_in_a_destructor_is_an_error", || {
        while_unwinding(|| assert!(is_refused(signal::wait(signal::SIGUSR1))));
    });
}

#[test]
fn a_server_that_a_destructor_stops_is_closed_and_its_handlers_go_on() {
    passes("destructors::a_server_that_a_destructor_stops_is_closed_and_its_handlers_go_on", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = StreamServer::new(listener, |(stream, _)| io::copy(&mut &stream, &mut &stream)).unwrap();
        server.start().unwrap();
        let client = TcpStream::connect(server.local_addr()).unwrap();
        while server.handling() == 0 {
            yield_now();
        }
        while_unwinding({
            let server = server.clone();
            move || assert!(is_refused(server.stop(None)))
        });
        assert!(!server.is_open());
        assert_eq!(server.handling(), 1);
        drop(client);
        assert_eq!(server.stop(None).unwrap(), 0);
        while_unwinding(move || {
            assert_eq!(server.stop(None).unwrap(), 0);
            assert!(is_refused(server.serve_forever()));
        });
    });
}

#[test]
fn threads_that_a_destructor_stops_go_on_stopping() {
    passes("destructors::threads_that_a_destructor_stops_go_on_stopping", || {
        let until_it_leaves = |(mut stream, _): (TcpStream, _)| {
            let _ = stream.write_all(b"!").and_then(|()| stream.read(&mut [0]));
        };
        let server = ThreadedServer::start(1, "127.0.0.1:0", until_it_leaves).unwrap();
        let address = server.local_addr();
        // Somebody is there, or there might be nothing to wait for.
        let mut guest = TcpStream::connect(address).unwrap();
        guest.read_exact(&mut [0]).unwrap();
        while_unwinding(move || assert!(is_refused(server.stop(None))));
        drop(guest);
        while TcpStream::connect(address).is_ok() {
            yield_now();
        }
    });
}
