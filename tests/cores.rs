//! Several hubs, each on a thread of its own: what they run, how they end, and what goes from one to
//! another.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use greenlet::hub::{self, Backend, HubHandle};
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use greenlet::server::ThreadedServer;
use greenlet::threads::{Event, channel};
use greenlet::{TimeoutError, sleep, spawn, with_timeout, yield_now};

const MS: Duration = Duration::from_millis(1);

#[test]
fn each_body_runs_on_a_thread_and_a_hub_of_its_own() {
    let here = thread::current().id();
    let hubs = hub::run_on(3, |place| {
        let task = spawn(|| thread::current().id());
        assert_eq!(place.hubs().len(), 3);
        (place.index(), thread::current().id(), task.join().unwrap())
    });
    let hubs = hubs.unwrap();
    let ended: Vec<_> = hubs.join().into_iter().map(Result::unwrap).collect();
    assert_eq!(ended.iter().map(|end| end.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(ended.iter().all(|(_, thread, task)| thread == task && *thread != here));
    assert_eq!(ended.iter().map(|end| end.1).collect::<HashSet<_>>().len(), 3);
}

#[test]
fn hubs_wait_in_the_way_of_the_one_that_started_them() {
    let other_than_usual = thread::spawn(|| {
        hub::use_backend(Backend::Poll).unwrap();
        hub::run_on(1, |_| hub::backend()).unwrap().join().pop().unwrap().unwrap()
    });
    assert_eq!(other_than_usual.join().unwrap(), Backend::Poll);
}

#[test]
fn who_waits_for_hubs_waits_alone() {
    let go = Arc::new(Event::new());
    let hubs = hub::run_on(2, {
        let go = go.clone();
        move |_| go.wait()
    });
    let hubs = hubs.unwrap();
    let ran = spawn(move || go.set());
    hubs.join();
    assert!(ran.is_finished());
}

#[test]
fn waiting_for_hubs_has_an_end_and_is_taken_up_again() {
    let go = Arc::new(Event::new());
    let hubs = hub::run_on(2, {
        let go = go.clone();
        move |_| go.wait()
    });
    let hubs = hubs.unwrap();
    assert!(!hubs.wait(Some(MS)) && !hubs.is_finished());
    assert_eq!(with_timeout(MS, || hubs.wait(None)), Err(TimeoutError::Elapsed));
    go.set();
    assert!(hubs.wait(None) && hubs.is_finished() && hubs.wait(Some(Duration::ZERO)));
    assert_eq!(hubs.join().len(), 2);
}

#[test]
fn a_hub_sleeps_while_those_that_it_started_run() {
    let go = Arc::new(Event::new());
    let hubs = hub::run_on(1, {
        let go = go.clone();
        move |_| go.wait()
    });
    drop(hubs.unwrap());
    assert!(!hub::join(Some(MS)), "one of them could tell of its end");
    go.set();
    assert!(hub::join(None));
}

#[test]
fn a_panic_is_the_end_of_its_own_thread_only() {
    let hubs = hub::run_on(2, |place| {
        yield_now();
        assert_ne!(place.index(), 0, "on purpose");
        place.index()
    });
    let mut ended = hubs.unwrap().join().into_iter();
    let panic = ended.next().unwrap().unwrap_err();
    assert!(panic.downcast::<String>().unwrap().contains("on purpose"));
    assert_eq!(ended.next().unwrap().unwrap(), 1);
}

#[test]
fn what_a_body_leaves_behind_is_unwound_while_its_thread_is_whole() {
    // First used after the hub, it is gone before the thread's own end unwinds.
    thread_local!(static LATE: RefCell<Vec<u32>> = RefCell::default());
    struct Note(Arc<AtomicU32>);
    impl Drop for Note {
        fn drop(&mut self) {
            if LATE.try_with(|late| late.borrow_mut().push(1)).is_ok() {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let notes = Arc::new(AtomicU32::new(0));
    let hubs = hub::run_on(2, {
        let notes = notes.clone();
        move |_| {
            let notes = notes.clone();
            LATE.with(|late| late.borrow_mut().push(0));
            drop(spawn(move || {
                let _note = Note(notes);
                sleep(Duration::from_secs(3600));
            }));
            yield_now();
        }
    });
    hubs.unwrap().join().into_iter().for_each(Result::unwrap);
    assert_eq!(notes.load(Ordering::Relaxed), 2);
}

#[test]
#[should_panic(expected = "runs on no threads")]
fn no_threads_are_too_few() {
    let _ = hub::run_on(0, |_| ());
}

#[test]
fn hubs_give_each_other_tasks() {
    const HOPS: usize = 100;
    let done = Arc::new(Event::new());
    let hubs = hub::run_on(2, {
        let done = done.clone();
        move |place| {
            if place.index() == 0 {
                hop(place.hubs().to_vec(), HOPS, done.clone());
            }
            done.wait();
        }
    });
    hubs.unwrap().join().into_iter().for_each(Result::unwrap);

    fn hop(hubs: Vec<HubHandle>, left: usize, done: Arc<Event>) {
        if left == 0 {
            return done.set();
        }
        let next = hubs[left % 2].clone();
        next.spawn(move || hop(hubs, left - 1, done)).unwrap();
    }
}

#[test]
fn a_socket_goes_to_another_hub_with_what_has_come_meanwhile() {
    let (sockets, received) = channel();
    let hubs = hub::run_on(1, move |_| {
        let socket: greenlet::os::Detached<TcpStream> = received.recv().unwrap();
        let mut stream = socket.attach().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    client.write_all(b"-here").unwrap();
    // Watched by this hub's poller.
    stream.read_exact(&mut [0]).unwrap();
    client.write_all(b" and ").unwrap();
    sockets.send(stream.detach().unwrap()).unwrap();
    client.write_all(b"there").unwrap();
    drop(client);
    assert_eq!(hubs.unwrap().join().pop().unwrap().unwrap(), "here and there");
}

#[test]
fn a_socket_with_other_handles_stays() {
    let (one, other) = UnixStream::pair().unwrap();
    let clone = one.clone();
    assert!(clone.detach().is_err());
    (&one).write_all(b"x").unwrap();
    (&other).read_exact(&mut [0]).unwrap();
    // A listener and a datagram socket go as well, and a detached one that is dropped is closed.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap().detach().unwrap();
    let address = listener.local_addr().unwrap();
    TcpStream::connect(address).unwrap();
    listener.attach().unwrap().accept().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    drop(socket.detach().unwrap());
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

/// Connects and is answered with one byte; the connection.
fn greeted(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

/// A server on so many threads that sends a byte, notes its thread, and waits for the end.
fn greeter(threads: usize) -> (ThreadedServer, Arc<Mutex<HashSet<ThreadId>>>) {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let server = ThreadedServer::start(threads, "127.0.0.1:0", {
        let seen = seen.clone();
        move |(mut stream, _)| {
            seen.lock().unwrap().insert(thread::current().id());
            stream.write_all(b"x").unwrap();
            stream.read(&mut [0])
        }
    });
    (server.unwrap(), seen)
}

#[test]
fn connections_are_shared_out_among_the_threads() {
    let (server, seen) = greeter(2);
    // Which thread gets one depends on the client's port.
    let connections = (0..10_000).map(|_| drop(greeted(server.local_addr())));
    let both = connections.take_while(|()| seen.lock().unwrap().len() < 2).count();
    assert!(both < 10_000);
    assert_eq!(server.stop(None).unwrap(), 0);
}

#[test]
fn a_server_on_threads_stops_when_its_handlers_have_ended() {
    let (server, _) = greeter(2);
    let address = server.local_addr();
    let clients: Vec<_> = (0..20).map(|_| greeted(address)).collect();
    let leaving = spawn(move || {
        while TcpStream::connect(address).is_ok() {
            yield_now();
        }
        drop(clients);
    });
    assert_eq!(server.stop(None).unwrap(), 0, "none of them was killed");
    leaving.join().unwrap();
}

#[test]
fn handlers_on_all_threads_are_killed_when_the_grace_is_over() {
    let (server, _) = greeter(3);
    let clients: Vec<_> = (0..30).map(|_| greeted(server.local_addr())).collect();
    assert_eq!(server.stop(Some(5 * MS)).unwrap(), 30);
    for mut client in clients {
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_server_on_threads_listens_at_an_address_that_can_be_had_or_not_at_all() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = ThreadedServer::start(2, address, |_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let free = [address, "127.0.0.1:0".parse().unwrap()];
    let server = ThreadedServer::start(2, &free[..], |(mut stream, _)| stream.write_all(b"x")).unwrap();
    assert_ne!(server.local_addr(), address);
    greeted(server.local_addr());
    server.stop(None).unwrap();
}

#[test]
fn a_connection_moves_to_another_thread_of_its_server() {
    let other = Arc::new(AtomicUsize::new(0));
    let hubs: Arc<Mutex<Vec<HubHandle>>> = Arc::default();
    let server = ThreadedServer::start(2, "127.0.0.1:0", {
        let (other, hubs) = (other.clone(), hubs.clone());
        move |(stream, _)| {
            let (here, other) = (thread::current().id(), other.clone());
            let stream = Mutex::new(Some(stream.detach().unwrap()));
            let stream = Arc::new(stream);
            for hub in &*hubs.lock().unwrap() {
                let (stream, other) = (stream.clone(), other.clone());
                let greet = move || {
                    if thread::current().id() != here
                        && let Some(stream) = stream.lock().unwrap().take()
                    {
                        other.fetch_add(1, Ordering::Relaxed);
                        stream.attach().unwrap().write_all(b"x").unwrap();
                    }
                };
                hub.spawn(greet).unwrap();
            }
        }
    });
    let server = server.unwrap();
    hubs.lock().unwrap().extend_from_slice(server.hubs());
    (0..10).for_each(|_| drop(greeted(server.local_addr())));
    assert_eq!(other.load(Ordering::Relaxed), 10);
    hubs.lock().unwrap().clear();
    server.stop(None).unwrap();
}
