//! From and to std, and whose mode is whose.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use greenlet::os::{PipeReader, PipeWriter, pipe};

use crate::close::tempfolder;
use crate::{parked, tcp_pair};

fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: the descriptor is open.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1);
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn sockets_of_all_kinds_go_to_std_and_back() {
    let (tcp, _peer) = tcp_pair();
    let tcp = std::net::TcpStream::try_from(tcp).unwrap();
    assert!(!is_nonblocking(&tcp));
    TcpStream::try_from(tcp).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap().into_std().unwrap();
    assert!(!is_nonblocking(&listener));
    TcpListener::from_std(listener).unwrap();

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap().into_std().unwrap();
    assert!(!is_nonblocking(&udp));
    UdpSocket::from_std(udp).unwrap();

    let stream = UnixStream::pair().unwrap().0.into_std().unwrap();
    assert!(!is_nonblocking(&stream));
    UnixStream::from_std(stream).unwrap();

    let datagram = UnixDatagram::pair().unwrap().0.into_std().unwrap();
    assert!(!is_nonblocking(&datagram));
    UnixDatagram::from_std(datagram).unwrap();

    let folder = tempfolder();
    let listener = UnixListener::bind(folder.0.join("socket")).unwrap().into_std().unwrap();
    assert!(!is_nonblocking(&listener));
    UnixListener::from_std(listener).unwrap();

    let (reader, writer) = pipe().unwrap();
    let (reader, writer) = (reader.into_std().unwrap(), writer.into_std().unwrap());
    assert!(!is_nonblocking(&reader) && !is_nonblocking(&writer));
    PipeReader::from_std(reader).unwrap();
    PipeWriter::from_std(writer).unwrap();
}

#[test]
fn what_came_in_non_blocking_mode_goes_out_in_blocking_mode() {
    let (theirs, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let ours = UnixStream::from_std(theirs).unwrap();
    assert!(!is_nonblocking(&ours.into_std().unwrap()));
}

#[test]
fn a_descriptor_goes_in_and_out() {
    let (a, mut b) = tcp_pair();
    let fd = OwnedFd::try_from(a).unwrap();
    let mut a = TcpStream::try_from(fd).unwrap();
    let reader = parked(move || {
        let mut byte = [0];
        a.read_exact(&mut byte).unwrap();
        byte
    });
    b.write_all(b"x").unwrap();
    assert_eq!(&reader.join().unwrap(), b"x");
}

#[test]
fn what_others_have_handles_to_is_not_given_away() {
    let (a, mut b) = tcp_pair();
    let other = a.try_clone().unwrap();
    assert!(a.into_std().unwrap_err().to_string().contains("other handles"));
    b.write_all(b"x").unwrap();
    (&other).read_exact(&mut [0]).unwrap();
}

/// Where the system can be asked not to block call by call, nobody else's mode changes.
// eventlet 75, 76; E13
#[cfg(target_os = "linux")]
#[test]
fn whoever_shares_a_connection_keeps_its_mode() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let mut ours = TcpStream::from_std(theirs.try_clone().unwrap()).unwrap();
    let reader = parked(move || ours.read(&mut [0]).unwrap());
    assert!(!is_nonblocking(&theirs));
    peer.write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap(), 1);

    let (client, server) = tcp_pair();
    assert!(!is_nonblocking(&client) && !is_nonblocking(&server), "connected, and accepted");
}
