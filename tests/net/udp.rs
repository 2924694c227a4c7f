//! UDP.

use std::io;
use std::net::SocketAddr;

use greenlet::net::UdpSocket;
use greenlet::{TimeoutError, spawn, with_timeout};

use crate::{MS, is_timeout, parked};

fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

// gevent 91
#[test]
fn datagrams_are_answered_where_they_come_from() {
    let (server, address) = bound();
    let echo = spawn(move || {
        let mut buffer = [0; 100];
        for _ in 0..50 {
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&buffer[..len], from).unwrap();
        }
    });
    let clients: Vec<_> = (0..50_u8)
        .map(|n| {
            spawn(move || {
                let (socket, _) = bound();
                socket.send_to(&[n], address).unwrap();
                let mut buffer = [0; 100];
                assert_eq!(socket.recv_from(&mut buffer).unwrap(), (1, address));
                buffer[0]
            })
        })
        .collect();
    let answers: Vec<u8> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(answers, (0..50).collect::<Vec<_>>());
    echo.join().unwrap();
}

#[test]
fn what_does_not_fit_is_cut_off_and_lost() {
    let (a, address) = bound();
    let (b, _) = bound();
    b.send_to(b"long", address).unwrap();
    b.send_to(b"next", address).unwrap();
    let mut buffer = [0; 2];
    assert_eq!(a.recv(&mut buffer).unwrap(), 2);
    assert_eq!(&buffer, b"lo");
    let mut buffer = [0; 10];
    assert_eq!(a.recv(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"next");
}

#[test]
fn an_empty_datagram_is_one() {
    let (a, address) = bound();
    let (b, from) = bound();
    b.send_to(b"", address).unwrap();
    assert_eq!(a.recv_from(&mut [0; 10]).unwrap(), (0, from));
}

#[test]
fn peeking_leaves_a_datagram_in_place() {
    let (a, address) = bound();
    let (b, from) = bound();
    b.send_to(b"xy", address).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(a.peek_from(&mut buffer).unwrap(), (2, from));
    assert_eq!(a.peek(&mut buffer).unwrap(), 2);
    assert_eq!(a.recv(&mut buffer).unwrap(), 2);
}

#[test]
fn a_connected_socket_hears_only_its_peer_and_that_nobody_listens() {
    let (a, to_a) = bound();
    let (b, to_b) = bound();
    let (stranger, _) = bound();
    a.connect(to_b).unwrap();
    assert_eq!(a.peer_addr().unwrap(), to_b);
    stranger.send_to(b"no", to_a).unwrap();
    b.send_to(b"yes", to_a).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(a.recv(&mut buffer).unwrap(), 3);
    drop(b);
    let receiver = parked({
        let a = a.clone();
        move || a.recv(&mut [0])
    });
    a.send(b"anybody?").unwrap();
    assert_eq!(receiver.join().unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn receiving_can_be_limited_timed_out_and_killed_and_loses_no_datagram() {
    let (a, address) = bound();
    let (b, _) = bound();
    a.set_read_timeout(Some(MS)).unwrap();
    assert!(is_timeout(a.recv(&mut [0])));
    a.set_read_timeout(None).unwrap();
    let late = with_timeout(MS, || a.recv(&mut [0]).map(drop));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    let receiver = parked({
        let a = a.clone();
        move || a.recv(&mut [0])
    });
    b.send_to(b"x", address).unwrap();
    receiver.kill().unwrap();
    receiver.wait(None);
    assert_eq!(a.recv(&mut [0]).unwrap(), 1);
}

#[test]
fn a_datagram_that_is_too_long_or_goes_nowhere_is_an_error() {
    let (a, address) = bound();
    let error = a.send_to(&vec![0; 1 << 20], address).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    let nowhere: [SocketAddr; 0] = [];
    assert_eq!(a.send_to(b"x", &nowhere[..]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn options_are_what_they_were_set_to() {
    let (a, _) = bound();
    a.set_broadcast(true).unwrap();
    assert!(a.broadcast().unwrap());
    a.set_ttl(3).unwrap();
    a.set_multicast_ttl_v4(4).unwrap();
    a.set_multicast_loop_v4(false).unwrap();
    assert_eq!((a.ttl().unwrap(), a.multicast_ttl_v4().unwrap()), (3, 4));
    assert!(!a.multicast_loop_v4().unwrap());
    assert!(a.take_error().unwrap().is_none());
}
