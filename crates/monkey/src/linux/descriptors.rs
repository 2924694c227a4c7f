//! What ends a descriptor, or makes its number stand for another: whoever waits for it is told.

use std::ffi::{c_int, c_uint};

use greenlet::hub::embed;

use super::raw::{answer_int, call3};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Files =>
    fn close(fd: c_int) -> c_int {
        ours: { embed::close_fd(fd); answer_int(call3(libc::SYS_close, fd as usize, 0, 0)) },
        plain: answer_int(call3(libc::SYS_close, fd as usize, 0, 0)),
    }

    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
        ours: {
            if flags as c_uint & libc::CLOSE_RANGE_CLOEXEC == 0 {
                embed::close_fds(number(first), number(last));
            }
            answer_int(call3(libc::SYS_close_range, first as usize, last as usize, flags as usize))
        },
        plain: answer_int(call3(libc::SYS_close_range, first as usize, last as usize, flags as usize)),
    }

    fn dup2(old: c_int, new: c_int) -> c_int {
        ours: { replace(old, new); answer_int(duplicate(old, new)) },
        plain: answer_int(duplicate(old, new)),
    }

    fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
        ours: {
            replace(old, new);
            answer_int(call3(libc::SYS_dup3, old as usize, new as usize, flags as usize))
        },
        plain: answer_int(call3(libc::SYS_dup3, old as usize, new as usize, flags as usize)),
    }
}

fn number(fd: c_uint) -> c_int {
    c_int::try_from(fd).unwrap_or(c_int::MAX)
}

/// Nothing is replaced by what is not open.
fn replace(old: c_int, new: c_int) {
    if old != new && flags_of(old) >= 0 {
        embed::close_fd(new);
    }
}

fn flags_of(fd: c_int) -> isize {
    // SAFETY: takes no memory.
    unsafe { call3(libc::SYS_fcntl, fd as usize, libc::F_GETFD as usize, 0) }
}

/// `dup2`, which AArch64 has as a case of `dup3`.
fn duplicate(old: c_int, new: c_int) -> isize {
    if old == new {
        let flags = flags_of(old);
        return if flags < 0 { flags } else { new as isize };
    }
    // SAFETY: takes no memory.
    unsafe { call3(libc::SYS_dup3, old as usize, new as usize, 0) }
}
