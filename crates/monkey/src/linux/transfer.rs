//! Copies between descriptors within the kernel. They cannot be asked not to block, so each end is in
//! non-blocking mode for the time of the call. A copy may end early, as it always might.

use std::ffi::{c_int, c_long, c_uint};

use greenlet::hub::embed::{self, OnSignal, Signal, until_signal};
use libc::{loff_t, off_t, size_t, ssize_t};

use super::call::{
    Call, Patience, WOULD_BLOCK, failure, is_nonblocking, is_ready, without_blocking, yield_now,
};
use super::raw::{answer, call};
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
        ours: {
            let ends = Ends { input, input_at, output, output_at };
            let copy = || ends.copy(libc::SYS_splice, len, flags);
            answer(if flags & libc::SPLICE_F_NONBLOCK == 0 { transfer(input, output, copy) } else { copy() })
        },
        plain: answer(Ends { input, input_at, output, output_at }.copy(libc::SYS_splice, len, flags)),
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
        ours: {
            let ends = Ends { input, input_at, output, output_at };
            answer(copy_files(|| ends.copy(libc::SYS_copy_file_range, len.min(AT_ONCE), flags)))
        },
        plain: {
            let ends = Ends { input, input_at, output, output_at };
            answer(ends.copy(libc::SYS_copy_file_range, len, flags))
        },
    }
}

/// How much of a file is copied before others run. The copy ends early then, as it always might.
const AT_ONCE: usize = 16 << 20;

/// Where a copy is from and to. Places are null where the descriptors' own count.
struct Ends {
    input: c_int,
    input_at: *mut loff_t,
    output: c_int,
    output_at: *mut loff_t,
}

impl Ends {
    /// One of the calls that take both.
    ///
    /// # Safety
    ///
    /// As the system call has it.
    unsafe fn copy(&self, number: c_long, len: size_t, flags: c_uint) -> isize {
        let (input, output) = (self.input as usize, self.output as usize);
        let args = [input, self.input_at as usize, output, self.output_at as usize, len, flags as usize];
        // SAFETY: the caller's word.
        unsafe { call(number, args) }
    }
}

unsafe fn send_file(output: c_int, input: c_int, at: *mut off_t, len: size_t) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_sendfile, [output as usize, input as usize, at as usize, len, 0, 0]) }
}

/// Files are always ready. Others run between one copy and the next.
fn copy_files(operation: impl Fn() -> isize) -> isize {
    if embed::can_wait()
        && let Some(error) = failure(yield_now())
    {
        return error;
    }
    operation()
}

fn transfer(input: c_int, output: c_int, operation: impl Fn() -> isize) -> isize {
    if embed::spend_budget()
        && !is_nonblocking(input)
        && !is_nonblocking(output)
        && let Some(error) = failure(yield_now())
    {
        return error;
    }
    if !embed::can_wait() {
        return operation();
    }
    until_signal(OnSignal::Restart, |signal| transfer_when_ready(input, output, operation, signal))
}

fn transfer_when_ready(
    input: c_int,
    output: c_int,
    operation: impl Fn() -> isize,
    signal: &Signal<'_>,
) -> isize {
    let ends = [Call::reading(Part::Files, input), Call::writing(Part::Files, output)];
    let mut patience = Patience::new(Part::Files, signal);
    loop {
        // Only the kernel knows whether there is anything to wait for: no copy of nothing waits.
        let result = without_blocking(output, || without_blocking(input, &operation));
        if result != WOULD_BLOCK || is_nonblocking(input) || is_nonblocking(output) {
            return result;
        }
        if let Some(error) = failure(patience.after_a_vain_wake(None)) {
            return error;
        }
        for end in ends.into_iter().filter(|end| !is_ready(end.fd, end.events)) {
            if let Some(error) = failure(end.wait(None, signal)) {
                return error;
            }
        }
    }
}
