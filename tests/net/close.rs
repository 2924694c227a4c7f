//! Closing under those who wait.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use greenlet::os::fd::{wait_readable, wait_writable};

use crate::{is_closed, parked, tcp_pair};

// gevent 98, 101; eventlet 68, 69, 73; E12, G7
#[test]
fn a_reader_gets_an_error_when_its_stream_is_closed() {
    let (a, mut b) = tcp_pair();
    let reader = parked({
        let a = a.clone();
        move || (&a).read(&mut [0])
    });
    a.close().unwrap();
    assert!(is_closed(reader.join().unwrap()));
    assert!(is_closed((&a).read(&mut [0])), "and so does who comes later");
    assert!(is_closed((&a).write(&[0])));
    a.close().unwrap();
    // The connection is gone there and then, although a handle is left.
    assert_eq!(b.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_writer_gets_an_error_when_its_stream_is_closed() {
    let (a, _b) = tcp_pair();
    let writer = parked({
        let a = a.clone();
        move || (&a).write_all(&vec![0; 64 << 20])
    });
    a.close().unwrap();
    assert!(is_closed(writer.join().unwrap()));
}

#[test]
fn all_acceptors_get_an_error_when_their_listener_is_closed_and_its_port_is_free() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let acceptors = [0, 1].map(|_| {
        let listener = listener.clone();
        parked(move || listener.accept().map(drop))
    });
    listener.close().unwrap();
    for acceptor in acceptors {
        assert!(is_closed(acceptor.join().unwrap()));
    }
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    TcpListener::bind(address).unwrap();
}

#[test]
fn sockets_of_all_kinds_can_be_closed_under_those_who_wait() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let receiver = parked({
        let udp = udp.clone();
        move || udp.recv_from(&mut [0]).map(drop)
    });
    udp.close().unwrap();
    assert!(is_closed(receiver.join().unwrap()));

    let (stream, _other) = UnixStream::pair().unwrap();
    let reader = parked({
        let stream = stream.clone();
        move || (&stream).read(&mut [0])
    });
    stream.close().unwrap();
    assert!(is_closed(reader.join().unwrap()));

    let (datagram, _other) = UnixDatagram::pair().unwrap();
    let receiver = parked({
        let datagram = datagram.clone();
        move || datagram.recv(&mut [0])
    });
    datagram.close().unwrap();
    assert!(is_closed(receiver.join().unwrap()));
    assert!(is_closed(datagram.send_to(b"", "/nowhere")));

    let folder = tempfolder();
    let listener = UnixListener::bind(folder.0.join("socket")).unwrap();
    let acceptor = parked({
        let listener = listener.clone();
        move || listener.accept().map(drop)
    });
    listener.close().unwrap();
    assert!(is_closed(acceptor.join().unwrap()));

    let (pipe, _writer) = greenlet::os::pipe().unwrap();
    let reader = parked({
        let pipe = pipe.clone();
        move || (&pipe).read(&mut [0])
    });
    pipe.close().unwrap();
    assert!(is_closed(reader.join().unwrap()));
}

// eventlet 70; E12: of an original, who waits for a number that is used again steals from its new owner
#[test]
fn the_number_is_not_used_again_while_there_is_a_handle() {
    let (a, _b) = tcp_pair();
    let number = a.as_raw_fd();
    a.close().unwrap();
    let others: Vec<_> = (0..20).map(|_| (tcp_pair(), UnixStream::pair().unwrap())).collect();
    let numbers = others
        .iter()
        .flat_map(|((a, b), (c, d))| [a.as_raw_fd(), b.as_raw_fd(), c.as_raw_fd(), d.as_raw_fd()]);
    assert!(numbers.into_iter().all(|other| other != number));
    drop(a);
}

#[test]
fn who_waits_for_the_bare_descriptor_wakes_when_it_is_closed() {
    let (a, _b) = tcp_pair();
    let waiter = parked({
        let a = a.clone();
        move || wait_readable(&a, None)
    });
    a.close().unwrap();
    waiter.join().unwrap().unwrap();
    // Nothing that is done with it would wait.
    wait_readable(&a, None).unwrap();
    wait_writable(&a, None).unwrap();
}

#[test]
fn a_borrowed_descriptor_stays_open_when_its_socket_is_closed() {
    let (a, _b) = tcp_pair();
    let borrowed = a.as_fd();
    a.close().unwrap();
    let duplicate = borrowed.try_clone_to_owned().unwrap();
    assert!(duplicate.as_raw_fd() >= 0);
    assert!(is_closed(a.into_std()), "and the socket is not given away");
}

#[test]
fn a_duplicate_of_a_dropped_socket_is_a_socket_of_its_own() {
    let (a, mut b) = tcp_pair();
    a.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    (&a).read(&mut [0]).unwrap_err();
    let duplicate = a.as_fd().try_clone_to_owned().unwrap();
    drop(a);
    let mut again = TcpStream::try_from(duplicate).unwrap();
    let reader = parked(move || {
        let mut byte = [0];
        again.read_exact(&mut byte).unwrap();
        byte
    });
    b.write_all(b"x").unwrap();
    assert_eq!(&reader.join().unwrap(), b"x");
}

pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder for one test.
pub(crate) fn tempfolder() -> Folder {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("greenlet-net-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
}
