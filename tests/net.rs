//! Sockets.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{TimeoutError, join_all, sleep, spawn, with_timeout, yield_now};

const MS: Duration = Duration::from_millis(1);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_hundred_clients_are_served_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            drop(spawn(move || {
                let mut buffer = [0; 64];
                loop {
                    match connection.read(&mut buffer).unwrap() {
                        0 => break,
                        n => connection.write_all(&buffer[..n]).unwrap(),
                    }
                }
            }));
        }
    });
    let clients: Vec<_> = (0..100)
        .map(|n: u32| {
            spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for round in 0..10 {
                    let sent = (n * 1000 + round).to_le_bytes();
                    stream.write_all(&sent).unwrap();
                    let mut got = [0; 4];
                    stream.read_exact(&mut got).unwrap();
                    assert_eq!(got, sent);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    server.kill().unwrap();
}

#[test]
fn more_than_the_buffers_hold_arrives_whole() {
    let (mut writer, mut reader) = pair();
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
    let task = spawn({
        let sent = sent.clone();
        move || writer.write_all(&sent).unwrap()
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert!(got == sent);
    task.join().unwrap();
}

#[test]
fn the_end_is_seen_even_if_it_came_together_with_the_data() {
    for _ in 0..50 {
        let (mut reader, mut writer) = pair();
        // Registers the reader with the poller.
        reader.set_read_timeout(Some(MS)).unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        reader.set_read_timeout(None).unwrap();
        writer.write_all(b"last words").unwrap();
        drop(writer);
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "last words");
    }
}

#[test]
fn data_that_follows_a_short_read_wakes_the_reader() {
    let (mut reader, mut writer) = pair();
    let task = spawn(move || {
        for n in 0..100_u8 {
            writer.write_all(&[n]).unwrap();
            if n % 3 == 0 {
                yield_now();
            }
        }
    });
    let mut got = Vec::new();
    let mut buffer = [0; 1000];
    while got.len() < 100 {
        let n = reader.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..n]);
    }
    assert_eq!(got, (0..100).collect::<Vec<u8>>());
    task.join().unwrap();
}

#[test]
fn a_read_timeout_is_an_error_and_the_stream_stays_usable() {
    let (mut a, mut b) = pair();
    a.set_read_timeout(Some(5 * MS)).unwrap();
    assert_eq!(a.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    b.write_all(b"x").unwrap();
    assert_eq!(a.read(&mut [0; 1]).unwrap(), 1);
    assert_eq!(a.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_write_timeout_is_an_error() {
    let (mut a, _b) = pair();
    a.set_write_timeout(Some(5 * MS)).unwrap();
    // More than the buffers of both sides hold.
    let error = a.write_all(&vec![0; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn two_greenlets_use_one_stream_in_both_directions() {
    let (a, mut b) = pair();
    let reader = spawn({
        let a = a.try_clone().unwrap();
        move || {
            let mut buffer = [0; 5];
            (&a).read_exact(&mut buffer).unwrap();
            buffer
        }
    });
    yield_now();
    (&a).write_all(b"hello").unwrap();
    let mut got = [0; 5];
    b.read_exact(&mut got).unwrap();
    b.write_all(&got).unwrap();
    assert_eq!(&reader.join().unwrap(), b"hello");
}

#[test]
fn shutdown_ends_a_reader_of_the_same_stream() {
    let (a, _b) = pair();
    let reader = spawn({
        let a = a.clone();
        move || (&a).read(&mut [0; 1]).unwrap()
    });
    yield_now();
    a.shutdown(Shutdown::Both).unwrap();
    assert_eq!(reader.join().unwrap(), 0);
}

#[test]
fn several_readers_may_wait_on_one_stream() {
    let (a, mut b) = pair();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let a = a.clone();
            spawn(move || {
                let mut byte = [0];
                (&a).read_exact(&mut byte).unwrap();
                byte[0]
            })
        })
        .collect();
    yield_now();
    b.write_all(&[1, 2, 3]).unwrap();
    let mut got: Vec<u8> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn a_refused_connection_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(TcpStream::connect(free).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let error = TcpStream::connect_timeout(&free, Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_text_that_is_no_address_is_named_in_the_error() {
    let error = TcpStream::connect("no port here").unwrap_err();
    assert!(error.to_string().contains("`no port here`"), "{error}");
}

#[test]
fn a_reader_can_be_timed_out_or_killed_and_the_stream_stays_usable() {
    let (a, mut b) = pair();
    assert_eq!(with_timeout(5 * MS, || (&a).read(&mut [0; 1]).unwrap()), Err(TimeoutError::Elapsed));
    let reader = spawn({
        let a = a.clone();
        move || (&a).read(&mut [0; 1]).unwrap()
    });
    yield_now();
    reader.kill().unwrap();
    assert!(reader.join().unwrap_err().is_killed());
    b.write_all(b"x").unwrap();
    assert_eq!((&a).read(&mut [0; 1]).unwrap(), 1);
}

#[test]
fn an_always_ready_socket_does_not_starve_the_others() {
    let (mut a, mut b) = pair();
    let writer = spawn(move || while b.write_all(&[0; 4096]).is_ok() {});
    let reader = spawn(move || while a.read(&mut [0; 64]).is_ok() {});
    let ticker = spawn(|| (0..20).for_each(|_| sleep(MS)));
    assert!(ticker.wait(Some(Duration::from_secs(60))));
    reader.kill().unwrap();
    writer.kill().unwrap();
    join_all([&reader, &writer], None);
}

#[test]
fn a_stream_goes_to_std_and_back() {
    let (a, mut b) = pair();
    let mut std_stream = a.into_std().unwrap();
    b.write_all(b"x").unwrap();
    std_stream.read_exact(&mut [0; 1]).unwrap();
    let mut a = TcpStream::from_std(std_stream).unwrap();
    b.write_all(b"y").unwrap();
    a.read_exact(&mut [0; 1]).unwrap();
}

#[test]
fn peek_leaves_the_data_in_place() {
    let (mut a, mut b) = pair();
    b.write_all(b"xy").unwrap();
    let mut buffer = [0; 2];
    assert_eq!(a.peek(&mut buffer).unwrap(), 2);
    assert_eq!(a.read(&mut buffer).unwrap(), 2);
    assert_eq!(&buffer, b"xy");
}

#[test]
fn descriptors_that_are_used_again_do_not_inherit_events() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..200 {
        let mut client = TcpStream::connect(address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let task = spawn(move || {
            let mut byte = [0];
            server.read_exact(&mut byte).unwrap();
            server.write_all(&byte).unwrap();
        });
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0; 1]).unwrap();
        task.join().unwrap();
    }
}

#[test]
fn a_destructor_may_write_without_end_while_its_task_panics() {
    greenlet::set_report_hook(|_| ());
    let (a, mut b) = pair();
    let task = spawn(move || {
        struct Goodbye(TcpStream);
        impl Drop for Goodbye {
            fn drop(&mut self) {
                (0..200).for_each(|_| (&self.0).write_all(b"x").unwrap());
            }
        }
        let _goodbye = Goodbye(a);
        panic!("on purpose");
    });
    let mut got = Vec::new();
    b.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 200);
    task.join().unwrap_err();
}

#[test]
fn a_destructor_that_would_wait_gets_an_error() {
    greenlet::set_report_hook(|_| ());
    let (a, _b) = pair();
    let task = spawn(move || {
        struct Last(TcpStream, std::rc::Rc<std::cell::RefCell<String>>);
        impl Drop for Last {
            fn drop(&mut self) {
                *self.1.borrow_mut() = (&self.0).read(&mut [0; 1]).unwrap_err().to_string();
            }
        }
        let said = std::rc::Rc::default();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _last = Last(a, std::rc::Rc::clone(&said));
            panic!("on purpose");
        }));
        said.take()
    });
    assert_eq!(task.join().unwrap(), "a greenlet cannot wait while it unwinds");
}
