//! Descriptors that are closed, or replaced, while somebody is in a call on them.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use greenlet::spawn;

use crate::net::socket;
use crate::patched;

#[test]
fn who_waits_for_a_descriptor_that_is_closed_is_told() {
    patched(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        let fd = a.as_raw_fd();
        let reader = spawn(move || {
            let mut byte = 0_u8;
            let result = unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, 0) };
            (result, std::io::Error::last_os_error().raw_os_error())
        });
        std::thread::yield_now();
        drop(a);
        // The number is used again at once, here or by another test.
        let (c, d) = UnixStream::pair().unwrap();
        assert_eq!(reader.join().unwrap(), (-1, Some(libc::EBADF)));
        drop((c, d));
    });
}

/// The result of a call on the first descriptor that another one takes the place of after the wait is over, but
/// before its greenlet runs; with what can still be read from the other end of the other one. `make_ready` is
/// given the other end of the first.
fn replaced_when_woken(
    call: impl FnOnce(i32) -> isize + 'static,
    make_ready: impl FnOnce(UnixStream),
) -> (isize, Option<i32>, ErrorKind) {
    let (first, to_first) = UnixStream::pair().unwrap();
    let (other, mut to_other) = UnixStream::pair().unwrap();
    let (mut earlier, mut to_earlier) = UnixStream::pair().unwrap();
    to_other.write_all(b"not for you").unwrap();
    let fd = first.as_raw_fd();
    let replacing = spawn(move || {
        earlier.read_exact(&mut [0]).unwrap();
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
    });
    let calling = spawn(move || (call(fd), std::io::Error::last_os_error().raw_os_error()));
    std::thread::yield_now();
    // Both are woken in one round of the hub, in this order.
    to_earlier.write_all(b"x").unwrap();
    make_ready(to_first);
    replacing.join().unwrap();
    let (result, errno) = calling.join().unwrap();
    to_other.set_nonblocking(true).unwrap();
    (result, errno, to_other.read(&mut [0]).unwrap_err().kind())
}

#[test]
fn who_was_woken_for_a_descriptor_that_is_closed_before_it_runs_is_told() {
    patched(|| {
        let calls: [fn(i32) -> isize; 2] = [
            |fd| unsafe { libc::recv(fd, [0_u8; 16].as_mut_ptr().cast(), 16, 0) },
            |fd| unsafe { libc::read(fd, [0_u8; 16].as_mut_ptr().cast(), 16) },
        ];
        for call in calls {
            let told = replaced_when_woken(call, |mut to| to.write_all(b"for you").unwrap());
            assert_eq!(told, (-1, Some(libc::EBADF), ErrorKind::WouldBlock));
        }
    });
}

#[test]
fn the_rest_of_a_write_goes_to_nobody_else() {
    patched(|| {
        const LEN: usize = 1 << 20;
        let data = vec![b'x'; LEN];
        let write = move |fd| unsafe { libc::write(fd, data.as_ptr().cast(), LEN) };
        let (written, _, in_other) = replaced_when_woken(write, |mut to| {
            to.set_nonblocking(true).unwrap();
            assert_eq!(to.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::WouldBlock);
        });
        assert!(written > 0 && written < LEN as isize, "{written}");
        assert_eq!(in_other, ErrorKind::WouldBlock);
    });
}

/// As another thread may do it, of which nobody is told.
#[test]
fn what_cannot_be_asked_may_take_the_place_of_what_can() {
    patched(|| {
        let (first, mut to_first) = UnixStream::pair().unwrap();
        let (_first_stays, file) =
            (first.try_clone().unwrap(), std::fs::File::open("/proc/self/status").unwrap());
        let fd = first.as_raw_fd();
        let reading = spawn(move || unsafe { libc::read(fd, [0_u8; 5].as_mut_ptr().cast(), 5) });
        std::thread::yield_now();
        assert_eq!(unsafe { libc::syscall(libc::SYS_dup3, file.as_raw_fd(), fd, 0) }, fd.into());
        to_first.write_all(b"x").unwrap();
        assert_eq!(reading.join().unwrap(), 5);
    });
}

#[test]
fn who_tries_again_and_again_to_connect_a_descriptor_that_is_closed_is_told() {
    patched(|| {
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as u16;
        // The first byte is zero: no file.
        let name = format!("greenlet-monkey-{}-full", std::process::id());
        address.sun_path.iter_mut().skip(1).zip(name.bytes()).for_each(|(to, from)| *to = from as _);
        let len = size_of_val(&address) as u32;
        let connect = move |fd| unsafe { libc::connect(fd, (&raw const address).cast(), len) };
        let [listener, in_the_queue, refused] = [(); 3].map(|()| socket(libc::AF_UNIX));
        assert_eq!(unsafe { libc::bind(listener.as_raw_fd(), (&raw const address).cast(), len) }, 0);
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        assert_eq!(connect(in_the_queue.as_raw_fd()), 0);
        let fd = refused.as_raw_fd();
        let connecting = spawn(move || (connect(fd), std::io::Error::last_os_error().raw_os_error()));
        std::thread::yield_now();
        assert_eq!(unsafe { libc::dup2(in_the_queue.as_raw_fd(), fd) }, fd);
        assert_eq!(connecting.join().unwrap(), (-1, Some(libc::EBADF)));
    });
}

#[test]
fn a_number_that_stands_for_another_socket_is_watched_anew() {
    patched(|| {
        for _ in 0..10 {
            let (mut a, mut b) = UnixStream::pair().unwrap();
            let reader = spawn(move || a.read(&mut [0; 8]).unwrap());
            std::thread::yield_now();
            b.write_all(b"x").unwrap();
            assert_eq!(reader.join().unwrap(), 1);
        }
    });
}
