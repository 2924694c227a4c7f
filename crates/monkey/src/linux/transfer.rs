//! Copies between descriptors within the kernel. They cannot be asked not to block, so each end is waited
//! for, and in non-blocking mode for the time of the call. A copy may end early, as it always might.

use std::ffi::{c_int, c_uint};

use greenlet::hub::embed::{self, Ended};
use libc::{loff_t, off_t, size_t, ssize_t};

use super::call::{
    CANCELED, Call, Patience, WOULD_BLOCK, is_nonblocking, is_ready, without_blocking, yield_now,
};
use super::raw::{answer, call, error};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Files =>
    fn splice(
        input: c_int,
        input_at: *mut loff_t,
        output: c_int,
        output_at: *mut loff_t,
        len: size_t,
        flags: c_uint,
    ) -> ssize_t {
        ours: answer(match flags & libc::SPLICE_F_NONBLOCK {
            0 => transfer(input, output, || splice_once(input, input_at, output, output_at, len, flags)),
            _ => splice_once(input, input_at, output, output_at, len, flags),
        }),
        plain: answer(splice_once(input, input_at, output, output_at, len, flags)),
    }

    fn sendfile(output: c_int, input: c_int, at: *mut off_t, len: size_t) -> ssize_t {
        ours: answer(transfer(input, output, || send_file(output, input, at, len))),
        plain: answer(send_file(output, input, at, len)),
    }

    fn sendfile64(output: c_int, input: c_int, at: *mut off_t, len: size_t) -> ssize_t {
        ours: answer(transfer(input, output, || send_file(output, input, at, len))),
        plain: answer(send_file(output, input, at, len)),
    }

    fn copy_file_range(
        input: c_int,
        input_at: *mut loff_t,
        output: c_int,
        output_at: *mut loff_t,
        len: size_t,
        flags: c_uint,
    ) -> ssize_t {
        ours: answer(copy_files(|| copy_once(input, input_at, output, output_at, len.min(AT_ONCE), flags))),
        plain: answer(copy_once(input, input_at, output, output_at, len, flags)),
    }
}

/// How much of a file is copied before others run. The copy ends early then, as it always might.
const AT_ONCE: usize = 16 << 20;

unsafe fn splice_once(
    input: c_int,
    input_at: *mut loff_t,
    output: c_int,
    output_at: *mut loff_t,
    len: size_t,
    flags: c_uint,
) -> isize {
    let args = [input as usize, input_at as usize, output as usize, output_at as usize, len, flags as usize];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_splice, args) }
}

unsafe fn send_file(output: c_int, input: c_int, at: *mut off_t, len: size_t) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_sendfile, [output as usize, input as usize, at as usize, len, 0, 0]) }
}

unsafe fn copy_once(
    input: c_int,
    input_at: *mut loff_t,
    output: c_int,
    output_at: *mut loff_t,
    len: size_t,
    flags: c_uint,
) -> isize {
    let args = [input as usize, input_at as usize, output as usize, output_at as usize, len, flags as usize];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_copy_file_range, args) }
}

/// Files are always ready. Others run between one copy and the next.
fn copy_files(operation: impl Fn() -> isize) -> isize {
    if embed::can_wait() && yield_now() == Ended::Interrupted {
        return CANCELED;
    }
    operation()
}

fn transfer(input: c_int, output: c_int, operation: impl Fn() -> isize) -> isize {
    if embed::spend_budget() && yield_now() == Ended::Interrupted {
        return CANCELED;
    }
    if !embed::can_wait() {
        return operation();
    }
    let ends = [Call::reading(Part::Files, input), Call::writing(Part::Files, output)];
    let mut patience = Patience::default();
    loop {
        for end in ends {
            // What does not block of itself says so below.
            if is_ready(end.fd, end.events) || is_nonblocking(end.fd) {
                continue;
            }
            match end.wait(None) {
                Ended::Interrupted => return CANCELED,
                Ended::Closed => return error(libc::EBADF),
                Ended::Woken | Ended::TimedOut | Ended::CannotWatch => {}
            }
        }
        let result = without_blocking(output, || without_blocking(input, &operation));
        if result != WOULD_BLOCK || is_nonblocking(input) || is_nonblocking(output) {
            return result;
        }
        if patience.after_a_vain_wake(Part::Files, None) == Ended::Interrupted {
            return CANCELED;
        }
    }
}
