//! `read` and `write`, on whatever can block.
//!
//! The kernel is asked not to block by `RWF_NOWAIT`. Where it does not know that (FIFOs, terminals), the
//! descriptor is waited for until it is ready, and what is written then is what there is room for.

use std::ffi::{c_int, c_void};

use libc::{iovec, size_t, ssize_t};

use super::call::{CANNOT_ASK, Call, How, kind, without_blocking};
use super::pieces::Pieces;
use super::raw::{answer, call, call3, error};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Files =>
    fn read(fd: c_int, buffer: *mut c_void, len: size_t) -> ssize_t {
        ours: answer(read_some(fd, buffer, len)),
        plain: answer(call3(libc::SYS_read, fd as usize, buffer as usize, len)),
    }

    fn __read_chk(fd: c_int, buffer: *mut c_void, len: size_t, room: size_t) -> ssize_t {
        ours: answer(read_some(fd, buffer, checked(len, room))),
        plain: answer(call3(libc::SYS_read, fd as usize, buffer as usize, checked(len, room))),
    }

    fn readv(fd: c_int, buffers: *const iovec, count: c_int) -> ssize_t {
        ours: answer(read_vectored(fd, buffers, count)),
        plain: answer(call3(libc::SYS_readv, fd as usize, buffers as usize, count as usize)),
    }

    fn write(fd: c_int, buffer: *const c_void, len: size_t) -> ssize_t {
        ours: answer(write_all(fd, buffer, len)),
        plain: answer(call3(libc::SYS_write, fd as usize, buffer as usize, len)),
    }

    fn writev(fd: c_int, buffers: *const iovec, count: c_int) -> ssize_t {
        ours: answer(write_vectored(fd, buffers, count)),
        plain: answer(call3(libc::SYS_writev, fd as usize, buffers as usize, count as usize)),
    }
}

/// Ends the program if a buffer is too small, as the checking variants of libc's functions do.
pub(super) fn checked(len: size_t, room: size_t) -> size_t {
    if len > room {
        // SAFETY: takes nothing.
        unsafe { libc::abort() }
    }
    len
}

/// `preadv2` and `pwritev2` with `RWF_NOWAIT`, where the descriptor is.
unsafe fn vectored_nowait(number: libc::c_long, fd: c_int, buffers: *const iovec, count: usize) -> isize {
    const RWF_NOWAIT: usize = 8;
    // The position travels in two words, and is the current one if both are full of ones.
    let args = [fd as usize, buffers as usize, count, usize::MAX, usize::MAX, RWF_NOWAIT];
    // SAFETY: the caller's word.
    match unsafe { call(number, args) } {
        result if result == error(libc::EOPNOTSUPP) || result == error(libc::ENOSYS) => CANNOT_ASK,
        result => result,
    }
}

unsafe fn read_some(fd: c_int, buffer: *mut c_void, len: size_t) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let result = Call::reading(Part::Files, fd).perform(|how| match how {
        How::Try if len > 0 => {
            let piece = iovec { iov_base: buffer, iov_len: len };
            // SAFETY: as above.
            unsafe { vectored_nowait(libc::SYS_preadv2, fd, &piece, 1) }
        }
        // To read nothing takes no time, but may be an error, which the vectored form does not tell.
        // SAFETY: as above.
        _ => unsafe { call3(libc::SYS_read, fd as usize, buffer as usize, len) },
    });
    // SAFETY: as above.
    unsafe { complete(fd, result, len, |done| (buffer as usize + done, len - done)) }
}

unsafe fn read_vectored(fd: c_int, buffers: *const iovec, count: c_int) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let pieces = unsafe { Pieces::new(buffers, count as usize) };
    let result = Call::reading(Part::Files, fd).perform(|how| match how {
        // SAFETY: as above.
        How::Try => unsafe { vectored_nowait(libc::SYS_preadv2, fd, buffers, count as usize) },
        // SAFETY: as above.
        How::Ready | How::Block => unsafe {
            call3(libc::SYS_readv, fd as usize, buffers as usize, count as usize)
        },
    });
    // SAFETY: as above.
    unsafe { complete(fd, result, pieces.len(), |done| pieces.after(done)) }
}

/// Of a file, a read without blocking may have brought what was in memory only. Who reads a file
/// expects all.
unsafe fn complete(fd: c_int, result: isize, len: usize, rest: impl Fn(usize) -> (usize, usize)) -> isize {
    let Ok(mut done) = usize::try_from(result) else { return result };
    while done > 0 && done < len && has_position(fd) {
        let (buffer, len) = rest(done);
        // SAFETY: the caller's word.
        match unsafe { call3(libc::SYS_read, fd as usize, buffer, len) } {
            more if more > 0 => done += more as usize,
            _ => break,
        }
    }
    done as isize
}

/// Whether it is a file, and not a stream.
fn has_position(fd: c_int) -> bool {
    position(fd) > 0
}

/// Where in a file the next byte goes; zero in a stream.
fn position(fd: c_int) -> u64 {
    // SAFETY: takes no memory.
    let at = unsafe { call3(libc::SYS_lseek, fd as usize, 0, libc::SEEK_CUR as usize) };
    u64::try_from(at).unwrap_or(0)
}

/// As much as the kernel writes at once, where pages have 4 KB.
const AT_ONCE: usize = 0x7fff_f000;

unsafe fn write_all(fd: c_int, buffer: *const c_void, len: size_t) -> isize {
    let len = len.min(AT_ONCE);
    Call::writing(Part::Files, fd).perform_all(len, |how, done| match done {
        // SAFETY: the arguments of a call that was taken over.
        0 => unsafe { write_some(how, fd, buffer as usize, len) },
        // SAFETY: as above.
        _ => unsafe { write_rest(how, fd, buffer as usize + done, len - done) },
    })
}

unsafe fn write_vectored(fd: c_int, buffers: *const iovec, count: c_int) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let pieces = unsafe { Pieces::new(buffers, count as usize) };
    let len = pieces.len().min(AT_ONCE);
    // SAFETY: as above.
    let write = || unsafe { call3(libc::SYS_writev, fd as usize, buffers as usize, count as usize) };
    Call::writing(Part::Files, fd).perform_all(len, |how, done| {
        let (rest, rest_len) = pieces.after(done);
        match how {
            // SAFETY: as above.
            _ if done > 0 => unsafe { write_rest(how, fd, rest, rest_len) },
            // SAFETY: as above.
            How::Try => unsafe { vectored_nowait(libc::SYS_pwritev2, fd, buffers, count as usize) },
            How::Ready => write_when_ready(fd, len, |room| match room < len {
                // SAFETY: as above.
                true => unsafe { call3(libc::SYS_write, fd as usize, rest, rest_len.min(room)) },
                false => write(),
            }),
            How::Block => write(),
        }
    })
}

unsafe fn write_some(how: How, fd: c_int, buffer: usize, len: usize) -> isize {
    let piece = iovec { iov_base: buffer as *mut c_void, iov_len: len };
    // SAFETY: the caller's word.
    let write = |len| unsafe { call3(libc::SYS_write, fd as usize, buffer, len) };
    match how {
        // SAFETY: as above.
        How::Try if len == 0 => unsafe { write_nothing(fd, buffer) },
        // SAFETY: as above.
        How::Try => unsafe { vectored_nowait(libc::SYS_pwritev2, fd, &piece, 1) },
        How::Ready => write_when_ready(fd, len, write),
        How::Block => write(len),
    }
}

/// Writes to what was just seen to have room, though perhaps not for so much: `write` is told how much may go at
/// most.
///
/// That is all of it in non-blocking mode, for the time of the call. A FIFO needs no such mode: it is ready when it has
/// room for `PIPE_BUF` bytes. And the session's terminal must be spared: other processes that write by the
/// same description would be refused in that moment. Whoever shows it reads on, so it blocks for a moment at most.
fn write_when_ready(fd: c_int, len: usize, write: impl FnOnce(usize) -> isize) -> isize {
    if kind(fd) == libc::S_IFIFO || is_terminal_of_session(fd) {
        write(len.min(libc::PIPE_BUF))
    } else {
        without_blocking(fd, || write(len))
    }
}

fn is_terminal_of_session(fd: c_int) -> bool {
    let mut number: c_int = 0;
    // SAFETY: there is room for a number.
    let mut asked = |request: libc::Ioctl| unsafe {
        call3(libc::SYS_ioctl, fd as usize, request as usize, &raw mut number as usize) == 0
    };
    // The master of a pseudo-terminal, which has such a number, answers for its slave.
    asked(libc::TIOCGPGRP) && !asked(libc::TIOCGPTN)
}

/// Writes what an earlier part has left. A file that was at its limit then has ended the call: who goes on is sent
/// `SIGXFSZ`.
unsafe fn write_rest(how: How, fd: c_int, buffer: usize, len: usize) -> isize {
    if let at @ 1.. = position(fd)
        && at >= file_size_limit()
    {
        return 0;
    }
    // SAFETY: the caller's word.
    unsafe { write_some(how, fd, buffer, len) }
}

/// How far this process may let a file grow.
fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    let args = [0, libc::RLIMIT_FSIZE as usize, 0, &raw mut limit as usize, 0, 0];
    // SAFETY: there is room for what it writes.
    unsafe { call(libc::SYS_prlimit64, args) };
    limit.rlim_cur
}

/// The vectored form does nothing at all then. This may be a datagram, though an empty one, or an error.
unsafe fn write_nothing(fd: c_int, buffer: usize) -> isize {
    let args = [fd as usize, buffer, 0, libc::MSG_DONTWAIT as usize, 0, 0];
    // SAFETY: there is nothing to be read.
    match unsafe { call(libc::SYS_sendto, args) } {
        // SAFETY: as above.
        result if result == error(libc::ENOTSOCK) => unsafe {
            call3(libc::SYS_write, fd as usize, buffer, 0)
        },
        result => result,
    }
}
