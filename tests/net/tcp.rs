//! TCP.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{TimeoutError, join_all, sleep, spawn, with_timeout, yield_now};

use crate::{MS, is_timeout, parked, tcp_pair as pair};

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

// gevent 102: zero, which there makes a socket non-blocking, is an error as in std
#[test]
fn a_read_timeout_is_an_error_and_the_stream_stays_usable() {
    let (mut a, mut b) = pair();
    a.set_read_timeout(Some(5 * MS)).unwrap();
    assert!(is_timeout(a.read(&mut [0; 1])));
    b.write_all(b"x").unwrap();
    assert_eq!(a.read(&mut [0; 1]).unwrap(), 1);
    assert_eq!(a.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

// gevent 102
#[test]
fn a_timeout_is_for_each_operation_and_not_for_all_together() {
    let (mut a, mut b) = pair();
    let limit = 1500 * MS;
    a.set_read_timeout(Some(limit)).unwrap();
    drop(spawn(move || {
        for n in 0..4 {
            sleep(limit / 3);
            b.write_all(&[n]).unwrap();
        }
    }));
    let mut read = [0; 4];
    a.read_exact(&mut read).unwrap(); // four reads, each in time
    assert_eq!(read, [0, 1, 2, 3]);
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

// gevent 99, eventlet 71, G7
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

// gevent 97; eventlet 66, 67; G3
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

// gevent 100
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

// gevent 9, G1
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

/// Bytes that are taken from a socket and not counted by the taker would be lost.
// gevent 100
#[test]
fn a_reader_that_is_killed_when_its_turn_is_over_has_lost_no_byte() {
    const BYTES: usize = 10_000;
    let (a, mut b) = pair();
    b.write_all(&[7; BYTES]).unwrap();
    drop(b);
    let read = Rc::new(Cell::new(0));
    let reader = spawn({
        let (a, read) = (a.clone(), read.clone());
        move || {
            while (&a).read(&mut [0]).unwrap() == 1 {
                read.set(read.get() + 1);
            }
        }
    });
    // It is always ready, so it lets others run because its budget is spent, and is killed there.
    yield_now();
    assert!((1..BYTES).contains(&read.get()), "it read {}", read.get());
    reader.kill().unwrap();
    reader.wait(None);
    let mut rest = Vec::new();
    (&a).read_to_end(&mut rest).unwrap();
    assert_eq!(read.get() + rest.len(), BYTES);
}

#[test]
fn vectored_operations_fill_and_empty_all_buffers() {
    let (mut a, mut b) = pair();
    let sent = a.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")]).unwrap();
    assert_eq!(sent, 7);
    let (mut first, mut second) = ([0; 2], [0; 10]);
    let got = b.read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]).unwrap();
    assert_eq!((got, &first, &second[..5]), (7, b"on", b"e two".as_slice()));
    let more = vec![IoSlice::new(b"x"); 5000];
    let sent = a.write_vectored(&more).unwrap();
    assert!(sent > 0, "more buffers than the system takes at once are sent in part");
    b.read_exact(&mut vec![0; sent]).unwrap();
}

#[test]
fn lines_are_read_through_a_buffer_of_stds() {
    let (a, mut b) = pair();
    let reader = spawn(move || BufReader::new(&a).lines().collect::<Result<Vec<_>, _>>().unwrap());
    for part in ["fir", "st\nsec", "ond\n", "third"] {
        b.write_all(part.as_bytes()).unwrap();
        yield_now();
    }
    drop(b);
    assert_eq!(reader.join().unwrap(), ["first", "second", "third"]);
}

/// The system stops a read at an urgent byte, although more follows.
#[test]
fn data_behind_an_urgent_byte_is_not_waited_for() {
    let (mut a, mut b) = pair();
    let reader = parked(move || {
        let (mut got, mut buffer) = (Vec::new(), [0; 100]);
        while got.len() < 6 {
            let count = a.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        got
    });
    b.write_all(b"abc").unwrap();
    // SAFETY: one byte is there.
    let sent = unsafe { libc::send(b.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    b.write_all(b"def").unwrap();
    assert!(reader.wait(Some(Duration::from_secs(60))), "it waits for what is there");
    assert_eq!(reader.join().unwrap(), b"abcdef");
}

/// A listener whose queue is full, and those who fill it: who connects now waits.
fn full_listener() -> (TcpListener, Vec<std::net::TcpStream>) {
    let listener = TcpListener::options().backlog(0).bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, 50 * MS) {
        queued.push(stream);
    }
    (listener, queued)
}

#[test]
fn connecting_can_be_limited_timed_out_and_killed() {
    let (listener, _queued) = full_listener();
    let address = listener.local_addr().unwrap();
    assert!(is_timeout(TcpStream::connect_timeout(&address, 5 * MS)));
    // Over all addresses together.
    let options = TcpStream::options().timeout(5 * MS);
    assert!(is_timeout(options.connect(&[address, address][..])));
    let late = with_timeout(5 * MS, || TcpStream::connect(address).map(drop));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    let connecting = parked(move || TcpStream::connect(address).map(drop));
    connecting.kill().unwrap();
    assert!(connecting.join().unwrap_err().is_killed());
    let zero = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn connecting_goes_on_to_the_next_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = [refusing, listener.local_addr().unwrap()];
    let stream = TcpStream::connect(&addresses[..]).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    let none: [SocketAddr; 0] = [];
    assert_eq!(TcpStream::connect(&none[..]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_connection_may_choose_its_own_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = TcpStream::options().local(([127, 0, 0, 1], 0).into());
    let stream = options.connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(stream.local_addr().unwrap(), listener.accept().unwrap().1);
}

#[test]
fn a_port_is_shared_only_if_all_who_have_it_say_so() {
    let options = TcpListener::options().reuse_port(true);
    let first = options.bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    options.bind(address).unwrap();
    assert_eq!(TcpListener::bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

/// Others run, and other processes have their chance, between two connections.
// gevent 89; G11
#[test]
fn one_connection_is_accepted_a_round() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _clients: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let log = Rc::new(RefCell::new(String::new()));
    let other = spawn({
        let log = log.clone();
        move || loop {
            log.borrow_mut().push('.');
            yield_now();
        }
    });
    for connection in listener.incoming().take(10) {
        connection.unwrap();
        log.borrow_mut().push('a');
    }
    other.kill().unwrap();
    assert!(!log.borrow().contains("aa"), "{}", log.borrow());
}

#[test]
fn several_greenlets_accept_from_one_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let acceptors: Vec<_> = (0..3)
        .map(|_| {
            let listener = listener.clone();
            parked(move || drop(listener.accept().unwrap()))
        })
        .collect();
    let _clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(join_all(&acceptors, None).len(), 3);
}

#[test]
fn accepting_can_be_timed_out_and_killed_and_loses_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let late = with_timeout(5 * MS, || listener.accept().map(drop));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    let acceptor = parked({
        let listener = listener.clone();
        move || drop(listener.accept())
    });
    let client = std::net::TcpStream::connect(address).unwrap();
    acceptor.kill().unwrap();
    acceptor.wait(None);
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
}

// eventlet 74: an original hides it
#[test]
fn a_reset_is_an_error_and_not_an_end() {
    let (mut a, b) = pair();
    (&b).write_all(b"unread").unwrap();
    a.peek(&mut [0]).unwrap();
    // Closed with something unread, a socket resets the connection.
    (&a).write_all(b"never read").unwrap();
    b.peek(&mut [0]).unwrap();
    drop(b);
    let mut got = Vec::new();
    assert_eq!(a.read_to_end(&mut got).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn options_are_what_they_were_set_to() {
    let (a, b) = pair();
    a.set_nodelay(true).unwrap();
    assert!(a.nodelay().unwrap());
    a.set_ttl(42).unwrap();
    assert_eq!(a.ttl().unwrap(), 42);
    a.set_read_timeout(Some(MS)).unwrap();
    a.set_write_timeout(Some(2 * MS)).unwrap();
    let (read, write) = (a.read_timeout().unwrap(), a.write_timeout().unwrap());
    assert_eq!((read, write), (Some(MS), Some(2 * MS)));
    assert!(a.take_error().unwrap().is_none());
    assert_eq!(a.local_addr().unwrap(), b.peer_addr().unwrap());
    assert!(format!("{a:?}").starts_with("TcpStream"), "{a:?}");
}
