//! `recvmmsg` and `sendmmsg`: several messages by one call.

use std::cell::Cell;
use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::{io, mem, ptr};

use greenlet::spawn;
use libc::{c_int, iovec, mmsghdr, timespec};

use crate::patched;

/// Messages of so many bytes each, all of them zero.
struct Messages {
    headers: Vec<mmsghdr>,
    _pieces: Vec<iovec>,
    buffers: Vec<Vec<u8>>,
}

impl Messages {
    fn new(count: usize, len: usize) -> Self {
        let mut buffers = vec![vec![0_u8; len]; count];
        let piece = |buffer: &mut Vec<u8>| iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: len };
        let mut pieces: Vec<_> = buffers.iter_mut().map(piece).collect();
        let header = |piece: &mut iovec| {
            let mut header: mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_iov = piece;
            header.msg_hdr.msg_iovlen = 1;
            header
        };
        let headers = pieces.iter_mut().map(header).collect();
        Self { headers, _pieces: pieces, buffers }
    }

    fn receive(&mut self, socket: &impl AsRawFd, flags: c_int, timeout: Option<&mut timespec>) -> c_int {
        let count = self.headers.len() as u32;
        let timeout = timeout.map_or(ptr::null_mut(), ptr::from_mut);
        unsafe { libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, flags, timeout) }
    }

    fn send(&mut self, socket: &impl AsRawFd, flags: c_int) -> c_int {
        let count = self.headers.len() as u32;
        unsafe { libc::sendmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, flags) }
    }

    /// How long they were.
    fn lens(&self) -> Vec<u32> {
        self.headers.iter().map(|header| header.msg_len).collect()
    }
}

/// A socket, and one that sends to it.
fn pair() -> (UdpSocket, UdpSocket) {
    let (receiver, sender) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    (receiver, sender)
}

#[test]
fn messages_are_waited_for_until_all_have_come() {
    patched(|| {
        let (receiver, sender) = pair();
        let receiving = spawn(move || {
            let mut messages = Messages::new(3, 8);
            (messages.receive(&receiver, 0, None), messages.lens(), messages.buffers)
        });
        for text in ["a", "bc", "def"] {
            std::thread::yield_now();
            assert!(!receiving.is_finished(), "it waits for {text}");
            sender.send(text.as_bytes()).unwrap();
        }
        let (count, lens, buffers) = receiving.join().unwrap();
        assert_eq!((count, lens), (3, vec![1, 2, 3]));
        assert_eq!(&buffers[2][..3], b"def");
    });
}

#[test]
fn who_waits_for_one_gets_what_is_there() {
    patched(|| {
        let (receiver, sender) = pair();
        let receiving = spawn(move || {
            let mut messages = Messages::new(3, 8);
            messages.receive(&receiver, libc::MSG_WAITFORONE, None)
        });
        std::thread::yield_now();
        assert!(!receiving.is_finished());
        sender.send(b"a").unwrap();
        assert_eq!(receiving.join().unwrap(), 1);
    });
}

#[test]
fn who_does_not_want_to_wait_does_not() {
    patched(|| {
        let (receiver, _sender) = pair();
        assert_eq!(Messages::new(3, 8).receive(&receiver, libc::MSG_DONTWAIT, None), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
    });
}

#[test]
fn a_time_limit_that_is_over_ends_it_with_the_next_message() {
    patched(|| {
        let (receiver, sender) = pair();
        sender.send(b"a").unwrap();
        let mut none = timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(Messages::new(3, 8).receive(&receiver, 0, Some(&mut none)), 1);
        sender.send(b"a").unwrap();
        sender.send(b"b").unwrap();
        let mut long = timespec { tv_sec: 3600, tv_nsec: 0 };
        assert_eq!(Messages::new(2, 8).receive(&receiver, 0, Some(&mut long)), 2);
        assert!(long.tv_sec < 3600, "what is left is told");
        let mut wrong = timespec { tv_sec: 0, tv_nsec: -1 };
        assert_eq!(Messages::new(1, 8).receive(&receiver, 0, Some(&mut wrong)), -1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
    });
}

#[test]
fn all_messages_are_sent_and_each_of_them_whole() {
    // More than a stream has room for.
    const LEN: usize = 1 << 20;
    patched(|| {
        let (a, mut b) = UnixStream::pair().unwrap();
        let sending = spawn(move || {
            let mut messages = Messages::new(3, LEN);
            (messages.send(&a, 0), messages.lens())
        });
        let mut all = Vec::new();
        b.read_to_end(&mut all).unwrap();
        assert_eq!(sending.join().unwrap(), (3, vec![LEN as u32; 3]));
        assert_eq!(all.len(), 3 * LEN);
    });
}

#[test]
fn who_is_killed_is_told_what_was_done() {
    patched(|| {
        let (receiver, sender) = pair();
        let counted = Rc::new(Cell::new(0));
        let receiving = {
            let counted = counted.clone();
            spawn(move || counted.set(Messages::new(3, 8).receive(&receiver, 0, None)))
        };
        sender.send(b"a").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
        receiving.kill().unwrap();
        receiving.wait(None);
        assert_eq!(counted.get(), 1);
    });
}

#[test]
fn nothing_follows_a_message_that_was_cut_short() {
    const LEN: usize = 1 << 20;
    patched(|| {
        let (a, mut b) = UnixStream::pair().unwrap();
        let told = Rc::new(Cell::new((0, 0)));
        let sending = {
            let told = told.clone();
            spawn(move || {
                let mut messages = Messages::new(2, LEN);
                let count = messages.send(&a, 0);
                told.set((count, messages.headers[0].msg_len as usize));
            })
        };
        std::thread::yield_now();
        b.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        // There is room again when it ends.
        assert_eq!(b.read_to_end(&mut all).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(sending.kill_and_wait(None).unwrap());
        b.read_to_end(&mut all).unwrap();
        assert!(all.len() < LEN);
        assert_eq!(told.get(), (1, all.len()));
    });
}
