//! Unix sockets.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;

use greenlet::net::{UnixDatagram, UnixListener, UnixStream};
use greenlet::spawn;

use crate::close::tempfolder;
use crate::{MS, is_timeout, parked};

#[test]
fn a_pair_is_connected_both_ways_and_ends() {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let echo = spawn(move || {
        let mut text = String::new();
        b.read_to_string(&mut text).unwrap();
        b.write_all(text.to_uppercase().as_bytes()).unwrap();
    });
    a.write_all(b"hello").unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    a.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HELLO");
    echo.join().unwrap();
    assert!(a.peer_addr().unwrap().is_unnamed());
}

#[test]
fn more_than_the_buffers_hold_arrives_whole() {
    let (mut writer, mut reader) = UnixStream::pair().unwrap();
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
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
fn clients_connect_at_a_path() {
    let folder = tempfolder();
    let path = folder.0.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    let server = spawn(move || {
        for connection in listener.incoming().take(10) {
            connection.unwrap().write_all(b"x").unwrap();
        }
    });
    for _ in 0..10 {
        let mut client = UnixStream::connect(&path).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        client.read_exact(&mut [0]).unwrap();
    }
    server.join().unwrap();
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let long = folder.0.join("x".repeat(200));
    assert_eq!(UnixStream::connect(long).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

/// The system ends a read behind data that descriptors came with, although more follows.
#[test]
fn data_behind_a_passed_descriptor_is_not_waited_for() {
    let (a, mut b) = UnixStream::pair().unwrap();
    let reader = parked(move || {
        let (mut got, mut buffer) = (Vec::new(), [0; 100]);
        while got.len() < 2 {
            let count = (&a).read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        got
    });
    send_with_descriptor(&b, b"1");
    b.write_all(b"2").unwrap();
    assert!(reader.wait(Some(std::time::Duration::from_secs(60))), "it waits for what is there");
    assert_eq!(reader.join().unwrap(), b"12");
}

fn send_with_descriptor(stream: &UnixStream, data: &[u8]) {
    let mut space = [0_u64; 8];
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: all that the message names is valid, and the space is large enough for one descriptor.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = space.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<libc::c_int>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as u32) as _;
        libc::CMSG_DATA(header).cast::<libc::c_int>().write_unaligned(0);
        assert_eq!(libc::sendmsg(stream.as_raw_fd(), &message, 0), data.len() as isize);
    }
}

#[test]
fn datagrams_keep_their_bounds_and_names() {
    let folder = tempfolder();
    let (server_path, client_path) = (folder.0.join("server"), folder.0.join("client"));
    let server = UnixDatagram::bind(&server_path).unwrap();
    let client = UnixDatagram::bind(&client_path).unwrap();
    let receiver = parked(move || {
        let mut buffer = [0; 10];
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        server.send_to_addr(&buffer[..len], &from).unwrap();
        from
    });
    client.send_to(b"one", &server_path).unwrap();
    client.send_to(b"two", &server_path).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(client.recv(&mut buffer).unwrap(), 3);
    assert_eq!(&buffer[..3], b"one");
    assert_eq!(receiver.join().unwrap().as_pathname(), Some(&*client_path));
    client.set_read_timeout(Some(MS)).unwrap();
    assert!(is_timeout(client.recv(&mut buffer)));
}
