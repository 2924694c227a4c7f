//! Several messages by one call. As much as goes without waiting is done by one system call.

use std::ffi::{c_int, c_uint};
use std::time::Instant;

use libc::{mmsghdr, timespec};

use super::call::{Call, How};
use super::pieces::Pieces;
use super::raw::{answer_int, call, error};
use super::sockets::{flag, message_pieces, never_blocks, send_rest};
use super::take_over::take_over;
use super::time::{after, duration, timespec_of};
use crate::Part;

take_over! { Part::Socket =>
    fn recvmmsg(
        fd: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut timespec,
    ) -> c_int {
        ours: answer_int(receive_messages(fd, messages, count, flags, timeout)),
        plain: answer_int(receive_some(fd, messages, count as usize, flags, timeout)),
    }

    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
        ours: answer_int(send_messages(fd, messages, count, flags)),
        plain: answer_int(send_some(fd, messages, count as usize, flags)),
    }
}

/// As many as the kernel does by one call, whatever it is asked for.
fn limited(count: c_uint) -> usize {
    count.min(libc::UIO_MAXIOV as c_uint) as usize
}

unsafe fn receive_some(
    fd: c_int,
    messages: *mut mmsghdr,
    count: usize,
    flags: c_int,
    timeout: *mut timespec,
) -> isize {
    let args = [fd as usize, messages as usize, count, flags as usize, timeout as usize, 0];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_recvmmsg, args) }
}

/// The time limit is looked at whenever a message has come, and never ends the wait for one: the kernel's has
/// the same weakness.
unsafe fn receive_messages(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let limit = unsafe { duration(timeout) };
    if limit.is_none() && !timeout.is_null() {
        return error(libc::EINVAL);
    }
    if never_blocks(flags) {
        // SAFETY: as above.
        return unsafe { receive_some(fd, messages, count as usize, flags, timeout) };
    }
    let (count, deadline) = (limited(count), limit.map(after));
    // SAFETY: as above; no more of them than there are.
    let receive = |how, done| unsafe {
        receive_some(fd, messages.add(done), count - done, flags | flag(how), std::ptr::null_mut())
    };
    let call = Call::reading(Part::Socket, fd);
    let result = if flags & libc::MSG_WAITFORONE != 0 {
        call.perform(|how| receive(how, 0))
    } else {
        call.perform_each(count, |how, done| match deadline {
            Some(deadline) if done > 0 && deadline <= Instant::now() => 0,
            _ => receive(how, done),
        })
    };
    if let Some(deadline) = deadline.filter(|_| result >= 0) {
        let left = deadline.saturating_duration_since(Instant::now());
        // SAFETY: as above; there was a limit, so it is somewhere.
        unsafe { *timeout = timespec_of(left) };
    }
    result
}

unsafe fn send_some(fd: c_int, messages: *mut mmsghdr, count: usize, flags: c_int) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_sendmmsg, [fd as usize, messages as usize, count, flags as usize, 0, 0]) }
}

unsafe fn send_messages(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> isize {
    // SAFETY: the arguments of a call that was taken over; no more of them than there are.
    let send = |how, done, count| unsafe { send_some(fd, messages.add(done), count, flags | flag(how)) };
    if flags & libc::MSG_DONTWAIT != 0 {
        return send(How::Block, 0, count as usize);
    }
    let (count, mut cut_short) = (limited(count), false);
    Call::writing(Part::Socket, fd).perform_each(count, |how, done| {
        if cut_short {
            // What came after it would be taken for the rest of it.
            return 0;
        }
        let result = send(how, done, count - done);
        if result > 0 {
            // SAFETY: it has just been sent.
            cut_short = unsafe { !complete(fd, &mut *messages.add(done + result as usize - 1), flags) };
        }
        result
    })
}

/// Sends what is left of a message on a stream that had no room for all of it. Whether that worked.
///
/// # Safety
///
/// The message is one that was sent, in part at least.
unsafe fn complete(fd: c_int, message: &mut mmsghdr, flags: c_int) -> bool {
    // SAFETY: the caller's word.
    let pieces: Pieces<'_> = unsafe { message_pieces(&message.msg_hdr) };
    let sent = message.msg_len as usize;
    if sent < pieces.len() {
        // SAFETY: as above.
        let more = unsafe { send_rest(fd, pieces, sent, flags) };
        message.msg_len += c_uint::try_from(more).unwrap_or(0);
    }
    message.msg_len as usize == pieces.len()
}
