//! `recvmmsg` and `sendmmsg`: several messages by one call; and what comes beside the data of a message.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::{io, mem, ptr};

use greenlet::spawn;
use libc::{c_int, iovec, mmsghdr, msghdr, timespec};

use crate::{let_waiters_run, patched};

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

/// A message of one piece, with room for a descriptor beside it.
struct WithDescriptor {
    header: msghdr,
    _piece: Box<iovec>,
    _beside: Box<[u64; 4]>,
}

impl WithDescriptor {
    fn new(data: &mut [u8]) -> Self {
        let mut piece = Box::new(iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() });
        let mut beside = Box::new([0; 4]);
        let mut header: msghdr = unsafe { mem::zeroed() };
        (header.msg_iov, header.msg_iovlen) = (&mut *piece, 1);
        header.msg_control = beside.as_mut_ptr().cast();
        header.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as _;
        Self { header, _piece: piece, _beside: beside }
    }

    fn send(&mut self, socket: &impl AsRawFd, descriptor: &impl AsRawFd) -> isize {
        unsafe {
            let beside = &mut *libc::CMSG_FIRSTHDR(&self.header);
            (beside.cmsg_level, beside.cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
            beside.cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(beside).cast::<c_int>().write_unaligned(descriptor.as_raw_fd());
            libc::sendmsg(socket.as_raw_fd(), &self.header, 0)
        }
    }

    fn receive(&mut self, socket: &impl AsRawFd) -> isize {
        unsafe { libc::recvmsg(socket.as_raw_fd(), &mut self.header, libc::MSG_WAITALL) }
    }

    /// The one that came.
    fn descriptor(&self) -> Option<OwnedFd> {
        unsafe {
            let beside = libc::CMSG_FIRSTHDR(&self.header).as_ref()?;
            Some(OwnedFd::from_raw_fd(libc::CMSG_DATA(beside).cast::<c_int>().read_unaligned()))
        }
    }
}

#[test]
fn descriptors_that_come_with_a_later_part_are_received_and_end_it() {
    patched(|| {
        let (mut a, b) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let receiving = spawn(move || {
            let mut data = [0; 10];
            let mut message = WithDescriptor::new(&mut data);
            let received = message.receive(&b);
            let flags = message.header.msg_flags;
            (received, flags, message.descriptor(), data)
        });
        std::thread::yield_now();
        a.write_all(b"a").unwrap();
        let_waiters_run();
        assert!(!receiving.is_finished(), "it waits for the rest");
        let mut data = *b"bc";
        assert_eq!(WithDescriptor::new(&mut data).send(&a, &writer), 2);
        a.write_all(b"of no concern").unwrap();
        drop(writer);
        let (received, flags, descriptor, data) = receiving.join().unwrap();
        assert_eq!((received, flags, &data[..3]), (3, 0, &b"abc"[..]));
        let mut writer = std::fs::File::from(descriptor.unwrap());
        writer.write_all(b"x").unwrap();
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
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
