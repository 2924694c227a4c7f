//! Servers. Numbers are those of the statements and of the bugs in the studies of gevent and eventlet
//! that the scheduler is held to: "gevent 82", "G5".

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use greenlet::server::{DatagramServer, StreamServer, serve};
use greenlet::sync::Event;
use greenlet::{ReportKind, TimeoutError, sleep, spawn, with_timeout, yield_now};

const MS: Duration = Duration::from_millis(1);

thread_local! {
    /// How often this thread, which is one test, has reported that it could not accept.
    static REPORTS: Cell<u32> = const { Cell::new(0) };
}

/// Counts reports, which would be printed.
fn count_reports() {
    greenlet::set_report_hook(|report| {
        REPORTS.set(REPORTS.get() + u32::from(report.kind() == ReportKind::AcceptFailed));
    });
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A server that says hello and then waits for the client's end.
fn hello() -> StreamServer {
    let server = StreamServer::new(listener(), |(mut stream, _)| {
        stream.write_all(b"hello").unwrap();
        stream.read(&mut [0])
    });
    server.unwrap()
}

/// Connects and is greeted; the connection.
fn greeted(server: &StreamServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");
    stream
}

fn is_refused(server: &StreamServer) -> bool {
    TcpStream::connect(server.local_addr()).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

// gevent 82, 83; G5
#[test]
fn a_server_starts_and_stops_and_starts_again() {
    let server = hello();
    assert!(server.is_open() && !server.is_accepting());
    for _ in 0..3 {
        server.start().unwrap();
        server.start().unwrap();
        assert!(server.is_open() && server.is_accepting());
        drop(greeted(&server));
        assert_eq!(server.stop(None).unwrap(), 0);
        assert!(!server.is_open() && !server.is_accepting());
        assert!(is_refused(&server));
        assert_eq!(server.stop(None).unwrap(), 0);
    }
}

#[test]
fn starting_again_where_somebody_else_is_now_is_an_error() {
    let server = hello();
    server.stop(None).unwrap();
    let other = TcpListener::bind(server.local_addr()).unwrap();
    assert_eq!(server.start().unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(other);
    server.start().unwrap();
    greeted(&server);
    server.close().unwrap();
}

#[test]
fn a_server_that_shared_its_port_shares_it_again() {
    let options = TcpListener::options().reuse_port(true);
    let first = options.bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    let server = StreamServer::new(options.bind(address).unwrap(), |_| ()).unwrap();
    server.stop(None).unwrap();
    server.start().unwrap();
    server.close().unwrap();
}

// gevent 84
#[test]
fn a_handler_that_panics_ends_its_own_connection_and_no_other() {
    count_reports();
    let server = StreamServer::new(listener(), |(mut stream, _)| {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        assert_ne!(byte, *b"!", "on purpose");
        stream.write_all(&byte).unwrap();
    })
    .unwrap();
    server.start().unwrap();
    let mut failing = TcpStream::connect(server.local_addr()).unwrap();
    let mut other = TcpStream::connect(server.local_addr()).unwrap();
    failing.write_all(b"!").unwrap();
    assert_eq!(failing.read(&mut [0]).unwrap(), 0);
    other.write_all(b"x").unwrap();
    other.read_exact(&mut [0]).unwrap();
    assert_eq!(server.stop(None).unwrap(), 0);
}

// gevent 85
#[test]
fn who_comes_to_a_server_that_is_full_waits() {
    let server = hello().limit(2);
    server.start().unwrap();
    let (first, _second) = (greeted(&server), greeted(&server));
    let third = spawn({
        let server = server.clone();
        move || drop(greeted(&server))
    });
    sleep(MS);
    assert!(!third.is_finished());
    assert_eq!(server.handling(), 2);
    drop(first);
    third.join().unwrap();
    server.close().unwrap();
}

// gevent 86
#[test]
fn stopping_waits_for_handlers() {
    let server = hello();
    server.start().unwrap();
    let stream = greeted(&server);
    let stopping = spawn({
        let server = server.clone();
        move || server.stop(None).unwrap()
    });
    sleep(MS);
    assert!(!stopping.is_finished() && is_refused(&server));
    drop(stream);
    assert_eq!(stopping.join().unwrap(), 0);
}

// gevent 86
#[test]
fn handlers_that_go_on_after_the_deadline_are_killed() {
    struct Unwound(Rc<Cell<bool>>);
    impl Drop for Unwound {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let unwound = Rc::new(Cell::new(false));
    let server = StreamServer::new(listener(), {
        let unwound = unwound.clone();
        move |(mut stream, _)| {
            let _unwound = Unwound(unwound.clone());
            stream.write_all(b"hello").unwrap();
            stream.read(&mut [0])
        }
    })
    .unwrap();
    server.start().unwrap();
    let mut stream = greeted(&server);
    assert_eq!(server.stop(Some(5 * MS)).unwrap(), 1);
    assert!(unwound.get() && server.handling() == 0);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn closing_leaves_handlers_alone() {
    let server = hello();
    server.start().unwrap();
    let stream = greeted(&server);
    server.close().unwrap();
    assert!(is_refused(&server));
    assert_eq!(server.handling(), 1);
    drop(stream);
    assert_eq!(server.stop(None).unwrap(), 0);
}

// gevent 87
#[test]
fn a_server_that_pauses_keeps_its_port_and_serves_later_who_came_meanwhile() {
    let server = hello();
    server.start().unwrap();
    yield_now();
    server.stop_accepting();
    assert!(server.is_open() && !server.is_accepting());
    let early = TcpStream::connect(server.local_addr()).unwrap();
    early.set_read_timeout(Some(5 * MS)).unwrap();
    assert_eq!((&early).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    early.set_read_timeout(None).unwrap();
    server.start().unwrap();
    (&early).read_exact(&mut [0; 5]).unwrap();
    drop(early);
    server.stop(None).unwrap();
}

// gevent 90
#[test]
fn serving_for_ever_ends_when_somebody_stops_the_server() {
    let server = hello();
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    drop(greeted(&server));
    assert!(!serving.is_finished());
    server.stop(None).unwrap();
    serving.join().unwrap().unwrap();
}

#[test]
fn serving_for_ever_can_be_timed_out_and_killed_and_closes_the_socket() {
    let server = hello();
    assert_eq!(with_timeout(MS, || server.serve_forever().unwrap()), Err(TimeoutError::Elapsed));
    assert!(!server.is_open() && is_refused(&server));
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    yield_now();
    drop(greeted(&server));
    serving.kill().unwrap();
    assert!(serving.join().unwrap_err().is_killed());
    assert!(is_refused(&server));
    let address = {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let late = with_timeout(5 * MS, || serve(listener, 10, |_| ()).unwrap());
        assert_eq!(late, Err(TimeoutError::Elapsed));
        address
    };
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_handler_may_stop_its_server() {
    let slot: Rc<RefCell<Option<StreamServer>>> = Rc::default();
    let stopped = Rc::new(Event::new());
    let server = StreamServer::new(listener(), {
        let (slot, stopped) = (slot.clone(), stopped.clone());
        move |_| {
            let server = slot.borrow_mut().take().unwrap();
            assert_eq!(server.stop(None).unwrap(), 0);
            stopped.set();
        }
    })
    .unwrap();
    *slot.borrow_mut() = Some(server.clone());
    server.start().unwrap();
    let _client = TcpStream::connect(server.local_addr()).unwrap();
    stopped.wait();
    assert!(!server.is_open());
}

// gevent 88
#[test]
fn a_socket_that_cannot_be_accepted_from_ends_the_server_with_its_error() {
    let listener = listener();
    let server = StreamServer::new(listener.clone(), |_| ()).unwrap();
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    yield_now();
    listener.close().unwrap();
    assert_eq!(serving.join().unwrap().unwrap_err().raw_os_error(), Some(libc::EBADF));
    assert!(!server.is_open());
    server.start().unwrap();
    server.close().unwrap();
}

#[test]
fn the_error_of_a_server_that_has_started_again_since_is_forgotten() {
    let listener = listener();
    let server = StreamServer::new(listener.clone(), |_| ()).unwrap();
    server.start().unwrap();
    yield_now();
    listener.close().unwrap();
    yield_now();
    assert!(!server.is_open(), "nobody waits to be told why");
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    yield_now();
    server.close().unwrap();
    serving.join().unwrap().unwrap();
}

#[test]
fn that_one_peer_is_gone_is_nothing_to_a_server_of_datagrams() {
    count_reports();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    socket.connect(gone).unwrap();
    socket.send(b"x").unwrap();
    let server = DatagramServer::new(socket.clone(), |_| ()).unwrap();
    server.start().unwrap();
    yield_now();
    assert!(socket.take_error().unwrap().is_none(), "the server has had it");
    assert!(server.is_accepting());
    assert_eq!(REPORTS.get(), 0);
    server.close().unwrap();
}

// gevent 91
#[test]
fn datagrams_are_handled_one_by_one() {
    let server =
        DatagramServer::new(UdpSocket::bind("127.0.0.1:0").unwrap(), |(socket, mut datagram, from)| {
            datagram.reverse();
            socket.send_to(&datagram, from)
        })
        .unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..2 {
        server.start().unwrap();
        for word in ["one", "three", ""] {
            client.send_to(word.as_bytes(), server.local_addr()).unwrap();
            let mut answer = [0; 10];
            let len = client.recv(&mut answer).unwrap();
            assert!(answer[..len].iter().rev().eq(word.as_bytes()));
        }
        server.stop(None).unwrap();
    }
    let longest = vec![7; 60_000];
    server.start().unwrap();
    client.send_to(&longest, server.local_addr()).unwrap();
    assert_eq!(client.recv(&mut [0; 65_536]).unwrap(), longest.len());
    server.close().unwrap();
}

#[test]
fn a_server_at_a_path_opens_it_again_although_its_file_is_left() {
    let path = std::env::temp_dir().join(format!("greenlet-server-{}", std::process::id()));
    let server =
        StreamServer::new(UnixListener::bind(&path).unwrap(), |(mut stream, _)| stream.write_all(b"x"));
    let server = server.unwrap();
    for _ in 0..2 {
        server.start().unwrap();
        UnixStream::connect(&path).unwrap().read_exact(&mut [0]).unwrap();
        server.stop(None).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    assert_eq!(server.start().unwrap_err().kind(), io::ErrorKind::AddrInUse, "somebody listens there");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_server_whose_path_is_somebody_elses_file_now_leaves_that_alone() {
    let path = std::env::temp_dir().join(format!("greenlet-server-file-{}", std::process::id()));
    let server = StreamServer::new(UnixListener::bind(&path).unwrap(), |_| ()).unwrap();
    server.stop(None).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(server.start().unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_server_goes_on_when_nobody_has_a_handle() {
    let address = {
        let server = hello();
        server.start().unwrap();
        server.local_addr()
    };
    TcpStream::connect(address).unwrap().read_exact(&mut [0; 5]).unwrap();
}
