//! Locks on files. The kernel tells nobody when one becomes free, so it is tried again and again, at first
//! every millisecond.

use std::ffi::{c_int, c_long};

use greenlet::hub::embed::{self, OnSignal, Signal, until_signal};

use super::call::{Patience, WOULD_BLOCK, failure, yield_now};
use super::raw::{answer_int, call3, error};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Files =>
    fn flock(fd: c_int, operation: c_int) -> c_int {
        ours: answer_int(lock_whole(fd, operation)),
        plain: answer_int(call3(libc::SYS_flock, fd as usize, operation as usize, 0)),
    }

    // libc's is variadic. On both processors, integers travel in the same registers all the same.
    fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int {
        ours: control(fd, command, argument),
        plain: answer_int(call3(libc::SYS_fcntl, fd as usize, command as usize, argument as usize)),
    }

    fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int {
        ours: control(fd, command, argument),
        plain: answer_int(call3(libc::SYS_fcntl, fd as usize, command as usize, argument as usize)),
    }
}

fn lock_whole(fd: c_int, operation: c_int) -> isize {
    // SAFETY: takes no memory.
    let lock = |more| unsafe { call3(libc::SYS_flock, fd as usize, (operation | more) as usize, 0) };
    if operation & (libc::LOCK_NB | libc::LOCK_UN) != 0 {
        return lock(0);
    }
    try_until_free(fd, || lock(libc::LOCK_NB), || lock(0))
}

unsafe fn control(fd: c_int, command: c_int, argument: c_long) -> c_int {
    // SAFETY: the arguments of a call that was taken over.
    let control =
        |command: c_int| unsafe { call3(libc::SYS_fcntl, fd as usize, command as usize, argument as usize) };
    let (attempt, waits) = match command {
        libc::F_SETLKW => (libc::F_SETLK, true),
        libc::F_OFD_SETLKW => (libc::F_OFD_SETLK, true),
        libc::F_GETOWN => return owner(fd),
        _ => (command, false),
    };
    answer_int(match waits {
        true => try_until_free(fd, || control(attempt), || control(command)),
        false => control(command),
    })
}

/// Whom signals of a descriptor are for: a process, or a group of them, whose number is negated. That of an error
/// could not be told from it, so the kernel is asked in another way, as by libc.
fn owner(fd: c_int) -> c_int {
    const F_GETOWN_EX: c_int = 16;
    const F_OWNER_PGRP: c_int = 2;
    #[repr(C)]
    struct Owner {
        kind: c_int,
        id: libc::pid_t,
    }
    let mut owner = Owner { kind: 0, id: 0 };
    // SAFETY: there is room for what it writes.
    let result =
        unsafe { call3(libc::SYS_fcntl, fd as usize, F_GETOWN_EX as usize, &raw mut owner as usize) };
    match owner {
        _ if result < 0 => answer_int(result),
        Owner { kind: F_OWNER_PGRP, id } => -id,
        Owner { id, .. } => id,
    }
}

fn try_until_free(fd: c_int, attempt: impl Fn() -> isize, block: impl FnOnce() -> isize) -> isize {
    until_signal(OnSignal::Restart, |signal| try_again_and_again(fd, attempt, block, signal))
}

fn try_again_and_again(
    fd: c_int,
    attempt: impl Fn() -> isize,
    block: impl FnOnce() -> isize,
    signal: &Signal<'_>,
) -> isize {
    let mut patience = Patience::new(Part::Files, signal);
    loop {
        let result = attempt();
        if result != WOULD_BLOCK && result != error(libc::EACCES) {
            return result;
        }
        if !embed::can_wait() {
            return block();
        }
        let turn = embed::unless_closed(fd, yield_now);
        let mut nap = || embed::unless_closed(fd, || patience.after_a_vain_wake(None));
        if let Some(error) = failure(turn).or_else(|| failure(nap())) {
            return error;
        }
    }
}
