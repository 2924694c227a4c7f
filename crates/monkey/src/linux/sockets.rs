//! Sockets. The kernel is asked not to block by `MSG_DONTWAIT`; to accept has no such flag, so the socket is
//! asked first; and to connect needs non-blocking mode, for the time of the call.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::{iter, ptr};

use greenlet::hub::embed::{self, Ended, Signal, until_signal};
use libc::{iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::call::{
    CANCELED, Call, How, Patience, WOULD_BLOCK, failure, is_nonblocking, is_ready, on_signal, socket_option,
    without_blocking, yield_now,
};
use super::pieces::Pieces;
use super::raw::{answer, answer_int, call, call3, error};
use super::streams::checked;
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Socket =>
    fn recv(fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
        ours: answer(Receive::new(fd, buffer, len, flags).perform()),
        plain: answer(Receive::new(fd, buffer, len, flags).once(How::Block, 0)),
    }

    fn __recv_chk(fd: c_int, buffer: *mut c_void, len: size_t, room: size_t, flags: c_int) -> ssize_t {
        ours: answer(Receive::new(fd, buffer, checked(len, room), flags).perform()),
        plain: answer(Receive::new(fd, buffer, checked(len, room), flags).once(How::Block, 0)),
    }

    fn recvfrom(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t {
        ours: answer(Receive::new(fd, buffer, len, flags).from(address, address_len).perform()),
        plain: answer(Receive::new(fd, buffer, len, flags).from(address, address_len).once(How::Block, 0)),
    }

    fn __recvfrom_chk(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        room: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t {
        ours: answer(Receive::new(fd, buffer, checked(len, room), flags).from(address, address_len).perform()),
        plain: answer(
            Receive::new(fd, buffer, checked(len, room), flags).from(address, address_len).once(How::Block, 0)
        ),
    }

    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
        ours: answer(receive_message(fd, message, flags)),
        plain: answer(call3(libc::SYS_recvmsg, fd as usize, message as usize, flags as usize)),
    }

    fn send(fd: c_int, buffer: *const c_void, len: size_t, flags: c_int) -> ssize_t {
        ours: answer(send_all(fd, buffer, len, flags, ptr::null(), 0)),
        plain: answer(send_some(fd, buffer as usize, len, flags, ptr::null(), 0)),
    }

    fn sendto(
        fd: c_int,
        buffer: *const c_void,
        len: size_t,
        flags: c_int,
        address: *const sockaddr,
        address_len: socklen_t,
    ) -> ssize_t {
        ours: answer(send_all(fd, buffer, len, flags, address, address_len)),
        plain: answer(send_some(fd, buffer as usize, len, flags, address, address_len)),
    }

    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
        ours: answer(send_message(fd, message, flags)),
        plain: answer(call3(libc::SYS_sendmsg, fd as usize, message as usize, flags as usize)),
    }

    fn accept(fd: c_int, address: *mut sockaddr, address_len: *mut socklen_t) -> c_int {
        ours: answer_int(accept_one(fd, address, address_len, 0)),
        plain: answer_int(accept_plainly(fd, address, address_len, 0)),
    }

    fn accept4(fd: c_int, address: *mut sockaddr, address_len: *mut socklen_t, flags: c_int) -> c_int {
        ours: answer_int(accept_one(fd, address, address_len, flags)),
        plain: answer_int(accept_plainly(fd, address, address_len, flags)),
    }

    fn connect(fd: c_int, address: *const sockaddr, address_len: socklen_t) -> c_int {
        ours: answer_int(connect_or_wait(fd, address, address_len)),
        plain: answer_int(call3(libc::SYS_connect, fd as usize, address as usize, address_len as usize)),
    }
}

/// The flag that asks for an operation as it is to be done.
pub(super) fn flag(how: How) -> c_int {
    if how == How::Try { libc::MSG_DONTWAIT } else { 0 }
}

/// Whether a receive does not block whatever the socket's mode is.
pub(super) fn never_blocks(flags: c_int) -> bool {
    flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0
}

/// Whether a receive is to go on until the buffer is full.
fn wants_all(fd: c_int, flags: c_int) -> bool {
    flags & libc::MSG_WAITALL != 0
        && flags & libc::MSG_PEEK == 0
        && socket_option::<c_int>(fd, libc::SO_TYPE) == Some(libc::SOCK_STREAM)
}

/// The arguments of a `recvfrom`.
struct Receive {
    fd: c_int,
    buffer: usize,
    len: usize,
    flags: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
}

impl Receive {
    /// Those of a `recv`.
    fn new(fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int) -> Self {
        let nowhere = (ptr::null_mut(), ptr::null_mut());
        Self { fd, buffer: buffer as usize, len, flags, address: nowhere.0, address_len: nowhere.1 }
    }

    fn from(self, address: *mut sockaddr, address_len: *mut socklen_t) -> Self {
        Self { address, address_len, ..self }
    }

    /// # Safety
    ///
    /// The arguments are as `recvfrom` takes them.
    unsafe fn once(&self, how: How, done: usize) -> isize {
        let args = [
            self.fd as usize,
            self.buffer + done,
            self.len - done,
            (self.flags | flag(how)) as usize,
            self.address as usize,
            self.address_len as usize,
        ];
        // SAFETY: the caller's word.
        unsafe { call(libc::SYS_recvfrom, args) }
    }

    /// # Safety
    ///
    /// As [`once`](Self::once).
    unsafe fn perform(&self) -> isize {
        // SAFETY: the caller's word.
        if never_blocks(self.flags) {
            // SAFETY: as above.
            return unsafe { self.once(How::Block, 0) };
        }
        let call = Call::reading(Part::Socket, self.fd);
        if wants_all(self.fd, self.flags) {
            // SAFETY: as above.
            return call.perform_all(self.len, |how, done| unsafe { self.once(how, done) });
        }
        // SAFETY: as above.
        call.perform(|how| unsafe { self.once(how, 0) })
    }
}

unsafe fn receive_message(fd: c_int, message: *mut msghdr, flags: c_int) -> isize {
    // SAFETY: the arguments of a call that was taken over, or those of a part of it.
    let receive = |message: *mut msghdr, how| unsafe {
        call3(libc::SYS_recvmsg, fd as usize, message as usize, (flags | flag(how)) as usize)
    };
    if never_blocks(flags) {
        return receive(message, How::Block);
    }
    let call = Call::reading(Part::Socket, fd);
    if !wants_all(fd, flags) {
        return call.perform(|how| receive(message, how));
    }
    // SAFETY: as above. Otherwise the kernel says what is wrong with it.
    match unsafe { message.as_mut() } {
        Some(message) => receive_whole_message(call, message, receive),
        None => receive(message, How::Block),
    }
}

/// Until the buffers are full; or until descriptors have come, which belong to the data that came with them.
fn receive_whole_message(
    call: Call,
    message: &mut msghdr,
    receive: impl Fn(*mut msghdr, How) -> isize,
) -> isize {
    let asked = *message;
    // SAFETY: a message that was handed to `recvmsg`.
    let pieces = unsafe { message_pieces(&asked) };
    let have_come = Cell::new(false);
    let is_over = |done| done >= pieces.len() || have_come.get();
    call.perform_until(is_over, |how, done| {
        if done == 0 {
            let result = receive(message, how);
            have_come.set(result > 0 && has_descriptors(message));
            return result;
        }
        let (buffer, len) = pieces.after(done);
        let mut piece = iovec { iov_base: buffer as *mut c_void, iov_len: len };
        // What comes beside the data has its place still, and the sender is known.
        let mut more = asked;
        (more.msg_name, more.msg_namelen) = (ptr::null_mut(), 0);
        (more.msg_iov, more.msg_iovlen) = (&mut piece, 1);
        let result = receive(&mut more, how);
        if result > 0 {
            message.msg_flags |= more.msg_flags;
            if more.msg_controllen > 0 {
                message.msg_controllen = more.msg_controllen;
            }
            have_come.set(has_descriptors(&more));
        }
        result
    })
}

/// Whether a message that was received brought descriptors.
fn has_descriptors(message: &msghdr) -> bool {
    // SAFETY: the kernel has written what comes beside the data.
    let first = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() };
    // SAFETY: as above.
    let mut all = iter::successors(first, |header| unsafe { libc::CMSG_NXTHDR(message, *header).as_ref() });
    all.any(|header| (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS))
}

/// # Safety
///
/// It points to a message, or nowhere.
pub(super) unsafe fn message_pieces<'a>(message: *const msghdr) -> Pieces<'a> {
    const NONE: *const iovec = ptr::null();
    // SAFETY: the caller's word.
    unsafe {
        let buffers = message.as_ref().map_or((NONE, 0), |m| (m.msg_iov.cast_const(), m.msg_iovlen as _));
        Pieces::new(buffers.0, buffers.1)
    }
}

unsafe fn send_some(
    fd: c_int,
    buffer: usize,
    len: usize,
    flags: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> isize {
    let args = [fd as usize, buffer, len, flags as usize, address as usize, address_len as usize];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_sendto, args) }
}

unsafe fn send_all(
    fd: c_int,
    buffer: *const c_void,
    len: usize,
    flags: c_int,
    address: *const sockaddr,
    address_len: socklen_t,
) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let send = |flags, done| unsafe {
        send_some(fd, buffer as usize + done, len - done, flags, address, address_len)
    };
    if flags & libc::MSG_DONTWAIT != 0 {
        return send(flags, 0);
    }
    let flags = Cell::new(flags);
    Call::writing(Part::Socket, fd).perform_all(len, |how, done| match done {
        0 => send_first(fd, &flags, |flags| send(flags | flag(how), 0)),
        _ => send(later(flags.get()) | flag(how), done),
    })
}

/// Sends what is first on its way. If that only begins to connect, it is sent without
/// [`MSG_FASTOPEN`](libc::MSG_FASTOPEN) when there is room.
fn send_first(fd: c_int, flags: &Cell<c_int>, send: impl FnOnce(c_int) -> isize) -> isize {
    let result = send(flags.get());
    let begins = result == error(libc::EINPROGRESS) && flags.get() & libc::MSG_FASTOPEN != 0;
    if !begins || is_nonblocking(fd) {
        return result;
    }
    flags.set(flags.get() & !libc::MSG_FASTOPEN);
    WOULD_BLOCK
}

unsafe fn send_message(fd: c_int, message: *const msghdr, flags: c_int) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let send =
        |flags: c_int| unsafe { call3(libc::SYS_sendmsg, fd as usize, message as usize, flags as usize) };
    if flags & libc::MSG_DONTWAIT != 0 {
        return send(flags);
    }
    // SAFETY: as above.
    let pieces = unsafe { message_pieces(message) };
    let flags = Cell::new(flags);
    Call::writing(Part::Socket, fd).perform_all(pieces.len(), |how, done| match done {
        0 => send_first(fd, &flags, |flags| send(flags | flag(how))),
        // What comes with the data has gone with the first part.
        // SAFETY: as above.
        _ => unsafe { send_more(fd, pieces.after(done), flags.get() | flag(how)) },
    })
}

/// The flags of a later part: it begins nothing, and has no signal, since who has sent a part has no error.
fn later(flags: c_int) -> c_int {
    flags & !libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL
}

/// Sends a later part of a message.
///
/// # Safety
///
/// The part is what it says.
unsafe fn send_more(fd: c_int, (buffer, len): (usize, usize), flags: c_int) -> isize {
    // SAFETY: the caller's word.
    unsafe { send_some(fd, buffer, len, later(flags), ptr::null(), 0) }
}

/// Sends what comes after `done` bytes of a message; how much that was.
///
/// # Safety
///
/// The pieces are what they say.
pub(super) unsafe fn send_rest(fd: c_int, pieces: Pieces<'_>, done: usize, flags: c_int) -> isize {
    Call::writing(Part::Socket, fd).perform_all(pieces.len() - done, |how, more| {
        // SAFETY: the caller's word.
        unsafe { send_more(fd, pieces.after(done + more), flags | flag(how)) }
    })
}

unsafe fn accept_plainly(
    fd: c_int,
    address: *mut sockaddr,
    address_len: *mut socklen_t,
    flags: c_int,
) -> isize {
    let args = [fd as usize, address as usize, address_len as usize, flags as usize, 0, 0];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_accept4, args) }
}

/// Another process or thread may be faster between the question and the call, and then this blocks.
unsafe fn accept_one(fd: c_int, address: *mut sockaddr, address_len: *mut socklen_t, flags: c_int) -> isize {
    let is_known = flags & !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) == 0;
    Call::reading(Part::Socket, fd).perform(|how| match how {
        How::Try if is_known && !is_ready(fd, embed::POLLIN) && listens(fd) => WOULD_BLOCK,
        // What does not listen says so at once, as does what is asked for something unknown.
        // SAFETY: the arguments of a call that was taken over.
        _ => unsafe { accept_plainly(fd, address, address_len, flags) },
    })
}

fn listens(fd: c_int) -> bool {
    socket_option::<c_int>(fd, libc::SO_ACCEPTCONN).is_some_and(|listens| listens != 0)
}

unsafe fn connect_or_wait(fd: c_int, address: *const sockaddr, address_len: socklen_t) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let connect = || unsafe { call3(libc::SYS_connect, fd as usize, address as usize, address_len as usize) };
    if is_nonblocking(fd) || !embed::can_wait() {
        return connect();
    }
    if embed::is_interrupted() {
        yield_now();
        return CANCELED;
    }
    let call = Call::writing(Part::Socket, fd);
    let deadline = call.deadline();
    until_signal(on_signal(deadline), |signal| connect_when_possible(call, deadline, connect, signal))
}

fn connect_when_possible(
    call: Call,
    deadline: Option<std::time::Instant>,
    connect: impl Fn() -> isize,
    signal: &Signal<'_>,
) -> isize {
    let mut patience = Patience::new(Part::Socket, signal);
    loop {
        let result = without_blocking(call.fd, &connect);
        // The second is for who was interrupted, and calls again: it waits on.
        if result == error(libc::EINPROGRESS) || result == error(libc::EALREADY) {
            return outcome(call, deadline, connect, signal).unwrap_or(result);
        }
        // The queue of a Unix socket's listener is full, which nothing tells the end of.
        if result != WOULD_BLOCK || deadline.is_some_and(|deadline| deadline <= std::time::Instant::now()) {
            return result;
        }
        let nap = || match patience.after_a_vain_wake(deadline) {
            Ended::Woken => yield_now(),
            ended => ended,
        };
        if let Some(error) = failure(embed::unless_closed(call.fd, nap)) {
            return error;
        }
    }
}

/// How an attempt to connect has ended, when it has; `None` if it goes on when its time is over.
fn outcome(
    call: Call,
    deadline: Option<std::time::Instant>,
    connect: impl FnOnce() -> isize,
    signal: &Signal<'_>,
) -> Option<isize> {
    loop {
        let ended = call.wait(deadline, signal);
        if let Some(error) = failure(ended) {
            return Some(error);
        }
        // A wake may have been for nothing, and what has come goes before a time that is over.
        if is_ready(call.fd, embed::POLLOUT) {
            break;
        }
        if ended != Ended::Woken {
            return None;
        }
    }
    if socket_option::<c_int>(call.fd, libc::SO_PROTOCOL) != Some(libc::IPPROTO_TCP) {
        return Some(error(socket_option(call.fd, libc::SO_ERROR).unwrap_or(libc::EBADF)));
    }
    // TCP takes an attempt for one that goes on until `connect` has told of its end.
    match connect() {
        result if result == error(libc::EISCONN) => Some(0),
        result => Some(result),
    }
}
