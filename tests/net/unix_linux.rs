//! Unix sockets, as they are on Linux: names that are no paths, and queues that nobody tells of.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::rc::Rc;

use greenlet::net::{UnixDatagram, UnixListener, UnixStream};
use greenlet::{TimeoutError, spawn, with_timeout, yield_now};

use crate::close::tempfolder;
use crate::{MS, is_closed, parked};

#[test]
fn a_name_need_not_be_a_path() {
    let name = format!("greenlet-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let client = UnixStream::connect_addr(&address).unwrap();
    listener.accept().unwrap();
    assert_eq!(client.peer_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
    let datagram = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name + "-d").unwrap()).unwrap();
    let to = datagram.local_addr().unwrap();
    let sender = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name("greenlet-s").unwrap()).unwrap();
    sender.send_to_addr(b"x", &to).unwrap();
    let (len, from) = datagram.recv_from(&mut [0; 10]).unwrap();
    assert_eq!((len, from.as_abstract_name()), (1, Some(b"greenlet-s".as_slice())));
}

/// As much of a path as the system's address has room for, which need not end with a zero.
fn address(path: impl AsRef<Path>) -> libc::sockaddr_un {
    // SAFETY: all zeroes is a valid address.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path.iter_mut().zip(path.as_ref().as_os_str().as_bytes()) {
        *place = *byte as libc::c_char;
    }
    address
}

/// A socket at the longest path that begins with `name`, connected to another one.
fn at_longest_path(kind: libc::c_int, name: &Path, to: &Path) -> OwnedFd {
    let longest = [name.as_os_str().as_bytes(), &[b'x'; 108]].concat();
    let (ours, theirs) = (address(OsStr::from_bytes(&longest)), address(to));
    let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: makes a descriptor, and reads addresses of that length.
    unsafe {
        let fd = libc::socket(libc::AF_UNIX, kind, 0);
        assert_eq!(libc::bind(fd, (&raw const ours).cast(), len), 0);
        assert_eq!(libc::connect(fd, (&raw const theirs).cast(), len), 0);
        OwnedFd::from_raw_fd(fd)
    }
}

#[test]
fn what_comes_from_a_path_too_long_for_std_comes_from_no_name() {
    let folder = tempfolder();
    let path = folder.0.join("listener");
    let listener = UnixListener::bind(&path).unwrap();
    let _client = at_longest_path(libc::SOCK_STREAM, &folder.0.join("stream"), &path);
    assert!(listener.accept().unwrap().1.is_unnamed());

    let path = folder.0.join("receiver");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let sender = at_longest_path(libc::SOCK_DGRAM, &folder.0.join("datagram"), &path);
    net::UnixDatagram::from(sender).send(b"abc").unwrap();
    let (len, from) = receiver.recv_from(&mut [0; 8]).unwrap();
    assert!(len == 3 && from.is_unnamed(), "{from:?}");
}

/// A full queue is no error for who connects, although the system tells nobody when it has room.
#[test]
fn who_connects_waits_while_the_queue_is_full() {
    let folder = tempfolder();
    let path = folder.0.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    // SAFETY: takes no memory.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let _first = UnixStream::connect(&path).unwrap();
    let late = with_timeout(5 * MS, || UnixStream::connect(&path).map(drop));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    let second = parked(move || UnixStream::connect(path).unwrap());
    listener.accept().unwrap();
    listener.accept().unwrap();
    second.join().unwrap();
}

/// Whether another greenlet gets its turn while this one does something a thousand times that need not wait.
fn lets_others_run(mut operation: impl FnMut()) -> bool {
    let turns = Rc::new(Cell::new(0));
    let other = spawn({
        let turns = turns.clone();
        move || loop {
            turns.set(turns.get() + 1);
            yield_now();
        }
    });
    (0..1000).for_each(|_| operation());
    other.kill().unwrap();
    turns.get() > 0
}

#[test]
fn who_connects_and_sends_where_there_is_room_lets_others_run() {
    let folder = tempfolder();
    let path = folder.0.join("listener");
    let listener = net::UnixListener::bind(&path).unwrap();
    assert!(lets_others_run(|| {
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
    }));
    let path = folder.0.join("receiver");
    let (receiver, sender) = (net::UnixDatagram::bind(&path).unwrap(), UnixDatagram::unbound().unwrap());
    assert!(lets_others_run(|| {
        sender.send_to(b"x", &path).unwrap();
        receiver.recv(&mut [0]).unwrap();
    }));
}

/// Fills the queue of a receiver. How many datagrams it took.
fn fill(sender: &UnixDatagram, mut send: impl FnMut() -> io::Result<usize>) -> usize {
    sender.set_write_timeout(Some(MS)).unwrap();
    let mut sent = 0;
    let error = loop {
        match send() {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    sender.set_write_timeout(None).unwrap();
    sent
}

#[test]
fn who_sends_waits_while_the_queue_of_its_receiver_is_full() {
    // Connected, the system tells when there is room; otherwise it does not.
    let (a, b) = UnixDatagram::pair().unwrap();
    let sent = fill(&a, || a.send(b"x"));
    let sender = parked(move || a.send(b"last").unwrap());
    for _ in 0..sent {
        assert_eq!(b.recv(&mut [0; 10]).unwrap(), 1);
    }
    assert_eq!(sender.join().unwrap(), 4);

    let folder = tempfolder();
    let path = folder.0.join("receiver");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    let sent = fill(&sender, || sender.send_to(b"x", &path));
    let sender = parked(move || sender.send_to(b"last", &path).unwrap());
    for _ in 0..sent {
        assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 1);
        yield_now();
    }
    assert_eq!(receiver.recv(&mut [0; 10]).unwrap(), 4);
    assert_eq!(sender.join().unwrap(), 4);
}

#[test]
fn who_waits_to_send_by_address_gets_an_error_when_its_socket_is_closed() {
    let folder = tempfolder();
    let path = folder.0.join("receiver");
    let _receiver = UnixDatagram::bind(&path).unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    fill(&socket, || socket.send_to(b"x", &path));
    let sender = parked({
        let socket = socket.clone();
        move || socket.send_to(b"x", path)
    });
    socket.close().unwrap();
    assert!(is_closed(sender.join().unwrap()));
}
