//! `std::net` and `std::os::unix::net`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::spawn;
use greenlet_monkey::{Part, counts};

use crate::{join, let_waiters_run, patched};

/// A pair of connected TCP sockets.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

pub(super) fn socket(family: i32) -> OwnedFd {
    unsafe { OwnedFd::from_raw_fd(libc::socket(family, libc::SOCK_STREAM, 0)) }
}

/// A port of this machine.
fn at_port(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    }
}

fn connect(socket: &impl AsRawFd, port: u16) -> Result<(), i32> {
    let address = at_port(port);
    let len = size_of_val(&address) as u32;
    match unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap()),
    }
}

fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    (unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) }) & libc::O_NONBLOCK != 0
}

#[test]
fn a_server_and_its_clients_are_greenlets_of_one_thread() {
    const CLIENTS: usize = 100;
    let before = counts(Part::Socket).parked;
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = spawn(move || {
            let echoes = listener.incoming().take(CLIENTS).map(|connection| {
                let mut connection = connection.unwrap();
                spawn(move || std::io::copy(&mut connection.try_clone().unwrap(), &mut connection).unwrap())
            });
            join(echoes)
        });
        let clients = (0..CLIENTS).map(|n| {
            spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for round in 0..10 {
                    let message = format!("{n}: {round}");
                    stream.write_all(message.as_bytes()).unwrap();
                    let mut answer = vec![0; message.len()];
                    stream.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, message.as_bytes());
                }
                assert!(!is_nonblocking(&stream), "the mode is as it was");
            })
        });
        join(clients);
        assert_eq!(server.join().unwrap().len(), CLIENTS);
    });
    assert!(counts(Part::Socket).parked > before + CLIENTS as u64);
}

#[test]
fn a_write_in_blocking_mode_writes_all() {
    const LEN: usize = 8 << 20;
    patched(|| {
        let (mut client, mut server) = pair();
        let reader = spawn(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).unwrap();
            all
        });
        let data: Vec<u8> = (0..LEN).map(|n| (n / 1000) as u8).collect();
        assert_eq!(client.write(&data).unwrap(), LEN, "in one call");
        drop(client);
        assert!(reader.join().unwrap() == data);
    });
}

#[test]
fn a_vectored_write_and_a_message_of_several_parts_go_out_whole() {
    patched(|| {
        let (client, mut server) = pair();
        let reader = spawn(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).unwrap();
            all
        });
        let parts: Vec<Vec<u8>> = (0..7_u8).map(|n| vec![n; 1 << 20]).collect();
        let buffers: Vec<_> = parts.iter().map(|part| std::io::IoSlice::new(part)).collect();
        assert_eq!((&client).write_vectored(&buffers).unwrap(), 7 << 20);
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = buffers.as_ptr() as *mut libc::iovec;
        message.msg_iovlen = buffers.len() as _;
        assert_eq!(unsafe { libc::sendmsg(client.as_raw_fd(), &message, 0) }, 7 << 20);
        drop(client);
        assert!(reader.join().unwrap() == [parts.concat(), parts.concat()].concat());
    });
}

#[test]
fn non_blocking_mode_and_flags_mean_what_they_meant() {
    patched(|| {
        let (client, mut server) = pair();
        client.set_nonblocking(true).unwrap();
        assert_eq!((&client).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(is_nonblocking(&client));
        client.set_nonblocking(false).unwrap();
        let mut byte = [0_u8];
        let flags = libc::MSG_DONTWAIT;
        let buffer = byte.as_mut_ptr().cast();
        assert_eq!(unsafe { libc::recv(client.as_raw_fd(), buffer, 1, flags) }, -1);
        assert_eq!(std::io::Error::last_os_error().kind(), ErrorKind::WouldBlock);
        server.write_all(b"x").unwrap();
        assert_eq!(client.peek(&mut byte).unwrap(), 1);
        assert_eq!((&client).read(&mut byte).unwrap(), 1);
    });
}

#[test]
fn a_sockets_own_timeout_ends_a_wait() {
    patched(|| {
        let (client, _server) = pair();
        client.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        assert_eq!((&client).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.set_write_timeout(Some(Duration::from_millis(5))).unwrap();
        let data = vec![0; 64 << 20];
        let written = (&client).write(&data).unwrap();
        assert!(written > 0 && written < data.len(), "what could be written counts");
        // The system may find room for more, once and again.
        let refused = (0..1000).find_map(|_| (&client).write(&data).err()).unwrap();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    });
}

/// Nobody else runs on this thread before the time is over, which the kernel rounds up to its ticks.
fn hold_for(time: Duration) {
    const TICK: Duration = Duration::from_millis(10);
    let start = Instant::now();
    while start.elapsed() <= time + TICK {}
}

#[test]
fn what_has_come_in_time_goes_before_a_time_that_is_over() {
    let limit = Duration::from_millis(5);
    patched(move || {
        let (client, mut server) = pair();
        client.set_read_timeout(Some(limit)).unwrap();
        let reading = spawn(move || (&client).read(&mut [0]));
        std::thread::yield_now();
        server.write_all(b"x").unwrap();
        hold_for(limit);
        assert_eq!(reading.join().unwrap().unwrap(), 1);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = spawn(move || {
            let client = TcpStream::from(socket(libc::AF_INET));
            client.set_write_timeout(Some(limit)).unwrap();
            (connect(&client, port), client)
        });
        std::thread::yield_now();
        hold_for(limit);
        assert_eq!(connecting.join().unwrap().0, Ok(()));

        let name = format!("greenlet-monkey-{}-in-time", std::process::id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        // Its limit is that of what it accepts, which has the function to set it.
        let listener = UnixStream::from(OwnedFd::from(UnixListener::bind_addr(&address).unwrap()));
        listener.set_read_timeout(Some(limit)).unwrap();
        let accepting = spawn(move || UnixListener::from(OwnedFd::from(listener)).accept().map(|_| ()));
        std::thread::yield_now();
        let _client = UnixStream::connect_addr(&address).unwrap();
        hold_for(limit);
        accepting.join().unwrap().unwrap();
    });
}

#[test]
fn all_that_is_asked_for_is_waited_for() {
    patched(|| {
        let (client, mut server) = pair();
        let writer = spawn(move || {
            for part in [b"ab", b"cd", b"ef"] {
                server.write_all(part).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
            server
        });
        let mut all = [0_u8; 6];
        let flags = libc::MSG_WAITALL;
        assert_eq!(unsafe { libc::recv(client.as_raw_fd(), all.as_mut_ptr().cast(), 6, flags) }, 6);
        assert_eq!(&all, b"abcdef");
        let mut server = writer.join().unwrap();
        let writer = spawn(move || {
            server.write_all(b"gh").unwrap();
            std::thread::sleep(Duration::from_millis(2));
            server.write_all(b"ijk").unwrap();
        });
        let (first, second) = all.split_at_mut(3);
        let mut buffers = [first, second]
            .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (buffers.as_mut_ptr(), 2);
        assert_eq!(unsafe { libc::recvmsg(client.as_raw_fd(), &mut message, flags) }, 5, "until the end");
        assert_eq!(&all[..5], b"ghijk");
        writer.join().unwrap();
    });
}

#[test]
fn what_is_thrown_away_is_waited_for_as_well() {
    patched(|| {
        let (client, mut server) = pair();
        let flags = libc::MSG_TRUNC | libc::MSG_WAITALL;
        let fd = client.as_raw_fd();
        let reading = spawn(move || unsafe { libc::recv(fd, [0_u8; 4].as_mut_ptr().cast(), 4, flags) });
        std::thread::yield_now();
        server.write_all(b"ab").unwrap();
        let_waiters_run();
        assert!(!reading.is_finished(), "it waits for the rest");
        server.write_all(b"cd").unwrap();
        assert_eq!(reading.join().unwrap(), 4);
    });
}

#[test]
fn a_sockets_own_timeout_is_for_all_parts_of_a_call() {
    let (limit, pause) = (Duration::from_millis(20), Duration::from_millis(2));
    patched(move || {
        const LEN: usize = 200;
        let (client, mut server) = pair();
        client.set_read_timeout(Some(limit)).unwrap();
        let writing = spawn(move || {
            for _ in 0..LEN {
                std::thread::sleep(pause);
                server.write_all(b"x").unwrap();
            }
        });
        let (buffer, flags) = ([0_u8; LEN].as_mut_ptr().cast(), libc::MSG_WAITALL);
        let received = unsafe { libc::recv(client.as_raw_fd(), buffer, LEN, flags) };
        assert!(received < LEN as isize);
        writing.join().unwrap();
    });
    patched(move || {
        let (mut client, mut server) = pair();
        client.set_write_timeout(Some(limit)).unwrap();
        for (socket, option) in [(&client, libc::SO_SNDBUF), (&server, libc::SO_RCVBUF)] {
            let (fd, len) = (socket.as_raw_fd(), 1 << 16);
            let value = (&raw const len).cast();
            assert_eq!(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, 4) }, 0);
        }
        let reading = spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while server.read(&mut buffer).unwrap() > 0 {
                std::thread::sleep(pause);
            }
        });
        let data = vec![0; 16 << 20];
        assert!(client.write(&data).unwrap() < data.len());
        drop(client);
        reading.join().unwrap();
    });
}

#[test]
fn an_error_that_comes_after_a_part_is_left_to_the_next_call() {
    patched(|| {
        // Who closes a socket with something unread resets the connection.
        let (mut client, mut server) = pair();
        client.write_all(b"unread").unwrap();
        let reading = spawn(move || {
            let (buffer, flags) = ([0_u8; 100].as_mut_ptr().cast(), libc::MSG_WAITALL);
            let received = unsafe { libc::recv(client.as_raw_fd(), buffer, 100, flags) };
            (received, client.read(&mut [0]).unwrap_err().kind())
        });
        std::thread::yield_now();
        server.write_all(b"part").unwrap();
        let_waiters_run();
        drop(server);
        assert_eq!(reading.join().unwrap(), (4, ErrorKind::ConnectionReset));

        let (mut client, mut server) = pair();
        let writing = spawn(move || {
            let data = vec![0; 64 << 20];
            let written = client.write(&data).unwrap();
            assert!(written > 0 && written < data.len());
            client.write(&data).unwrap_err().kind()
        });
        std::thread::yield_now();
        server.read_exact(&mut vec![0; 1 << 20]).unwrap();
        drop(server);
        assert_eq!(writing.join().unwrap(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn what_is_sent_with_the_request_to_connect_waits_for_the_connection() {
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = at_port(listener.local_addr().unwrap().port());
        let (client, len) = (socket(libc::AF_INET), size_of_val(&address) as u32);
        let (data, flags) = (b"hello".as_ptr().cast(), libc::MSG_FASTOPEN);
        let sent =
            unsafe { libc::sendto(client.as_raw_fd(), data, 5, flags, (&raw const address).cast(), len) };
        assert_eq!(sent, 5, "{}", std::io::Error::last_os_error());
        drop(client);
        let mut all = String::new();
        listener.accept().unwrap().0.read_to_string(&mut all).unwrap();
        assert_eq!(all, "hello");
    });
}

#[test]
fn nobody_listens_or_answers() {
    patched(|| {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let (limit, nowhere) = (Duration::from_millis(5), "127.0.0.1:1".parse().unwrap());
        assert!(TcpStream::connect_timeout(&nowhere, limit).is_err());
    });
}

#[test]
fn datagrams_come_when_they_come() {
    patched(|| {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (from, to) = (b.local_addr().unwrap(), a.local_addr().unwrap());
        let receiver = spawn(move || {
            let mut buffer = [0; 16];
            let (len, address) = a.recv_from(&mut buffer).unwrap();
            (buffer[..len].to_vec(), address)
        });
        std::thread::yield_now();
        b.send_to(b"hello", to).unwrap();
        assert_eq!(receiver.join().unwrap(), (b"hello".to_vec(), from));
    });
}

#[test]
fn a_datagram_waits_for_room_and_stays_whole() {
    patched(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let receiver = spawn(move || {
            let mut buffer = [0; 64];
            (0..1000_u32).all(|n| b.recv(&mut buffer).unwrap() == 4 && buffer[..4] == n.to_ne_bytes())
        });
        for n in 0..1000_u32 {
            assert_eq!(a.send(&n.to_ne_bytes()).unwrap(), 4);
        }
        assert!(receiver.join().unwrap());
    });
}

#[test]
fn the_other_ends_shutdown_wakes_and_so_does_ones_own() {
    patched(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let reader = spawn(move || (&a).read(&mut [0]).unwrap());
        std::thread::yield_now();
        b.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), 0);

        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let waits = listener.clone();
        let acceptor = spawn(move || waits.accept().unwrap_err().raw_os_error());
        std::thread::yield_now();
        unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
        assert_eq!(acceptor.join().unwrap(), Some(libc::EINVAL));
    });
}

#[test]
fn a_datagram_socket_that_is_shut_down_has_nothing_more_to_say() {
    patched(|| {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        a.connect(b.local_addr().unwrap()).unwrap();
        let (c, _d) = UnixDatagram::pair().unwrap();
        for fd in [a.as_raw_fd(), c.as_raw_fd()] {
            let waiting = spawn(move || unsafe { libc::recv(fd, [0_u8].as_mut_ptr().cast(), 1, 0) });
            std::thread::yield_now();
            assert!(!waiting.is_finished());
            assert_eq!(unsafe { libc::shutdown(fd, libc::SHUT_RD) }, 0);
            assert_eq!(waiting.join().unwrap(), 0);
            assert_eq!(unsafe { libc::read(fd, [0_u8].as_mut_ptr().cast(), 1) }, 0);
        }
    });
}

#[test]
fn a_socket_that_is_always_ready_does_not_starve_the_others() {
    let rounds = patched(|| {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let stop = Rc::new(std::cell::Cell::new(false));
        let stopped = stop.clone();
        let busy = spawn(move || {
            let mut rounds = 0;
            while !stopped.get() {
                a.write_all(b"x").unwrap();
                b.read_exact(&mut [0]).unwrap();
                rounds += 1;
                assert!(rounds < 100_000, "somebody else gets a turn");
            }
            rounds
        });
        std::thread::yield_now();
        stop.set(true);
        busy.join().unwrap()
    });
    assert!(rounds > 0);
}

#[test]
fn sockets_of_greenlet_and_of_std_live_side_by_side() {
    patched(|| {
        let listener = greenlet::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            std::io::copy(&mut connection.clone(), &mut connection).unwrap()
        });
        let mut stream = TcpStream::connect(address).unwrap();
        for _ in 0..200 {
            stream.write_all(b"hello").unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
        }
        drop(stream);
        assert_eq!(server.join().unwrap(), 1000);
    });
}

#[test]
fn what_does_not_listen_accepts_nobody_and_says_so() {
    patched(|| {
        let accept = |fd: i32| {
            let result = unsafe { libc::accept(fd, std::ptr::null_mut(), std::ptr::null_mut()) };
            (result, std::io::Error::last_os_error().raw_os_error())
        };
        let (reader, _writer) = std::io::pipe().unwrap();
        assert_eq!(accept(reader.as_raw_fd()), (-1, Some(libc::ENOTSOCK)));
        let (a, _b) = UnixStream::pair().unwrap();
        assert_eq!(accept(a.as_raw_fd()), (-1, Some(libc::EINVAL)));
    });
}

#[test]
fn flags_that_nobody_knows_accept_nobody() {
    // An emulator does not pass them on.
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return;
    }
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (fd, null) = (listener.as_raw_fd(), std::ptr::null_mut());
        assert_eq!(unsafe { libc::accept4(fd, null, null.cast(), 0x4000_0000) }, -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
    });
}

#[test]
fn who_connects_once_more_is_told_what_has_become_of_it() {
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket_there = socket(libc::AF_INET);
        assert_eq!(connect(&socket_there, port), Ok(()));
        assert_eq!(connect(&socket_there, port), Err(libc::EISCONN));
        drop(listener);
        let socket_nowhere = socket(libc::AF_INET);
        for _ in 0..3 {
            assert_eq!(connect(&socket_nowhere, port), Err(libc::ECONNREFUSED));
        }
    });
}
