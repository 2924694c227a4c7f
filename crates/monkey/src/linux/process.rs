//! Waiting for child processes.
//!
//! A child that is known by its number has a descriptor (`pidfd_open`) that tells of its end. It does not tell
//! of the stops of one that is traced, nor can any of several be waited for so: there is nothing to wait
//! for but time, and the kernel is asked again and again, at first every millisecond.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use greenlet::hub::embed::{self, Ended, OnSignal, Signal, until_signal};
use libc::{id_t, idtype_t, pid_t, rusage, siginfo_t};

use super::call::{Call, Patience, failure, is_nonblocking, yield_now};
use super::raw::{answer_int, call, call3};
use super::take_over::take_over;
use super::time::after;
use crate::Part;

take_over! { Part::Process =>
    fn wait(status: *mut c_int) -> pid_t {
        ours: answer_int(wait_for_child(-1, status, 0, ptr::null_mut())),
        plain: answer_int(wait_plainly(-1, status, 0, ptr::null_mut())),
    }

    fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t {
        ours: answer_int(wait_for_child(pid, status, options, ptr::null_mut())),
        plain: answer_int(wait_plainly(pid, status, options, ptr::null_mut())),
    }

    fn wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t {
        ours: answer_int(wait_for_child(-1, status, options, usage)),
        plain: answer_int(wait_plainly(-1, status, options, usage)),
    }

    fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t {
        ours: answer_int(wait_for_child(pid, status, options, usage)),
        plain: answer_int(wait_plainly(pid, status, options, usage)),
    }

    fn waitid(kind: idtype_t, id: id_t, about: *mut siginfo_t, options: c_int) -> c_int {
        ours: answer_int(wait_by_kind(kind, id, about, options)),
        plain: answer_int(wait_by_kind_plainly(kind, id, about, options)),
    }
}

unsafe fn wait_plainly(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_wait4, [pid as usize, status as usize, options as usize, usage as usize, 0, 0]) }
}

unsafe fn wait_for_child(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let wait = |more| unsafe { wait_plainly(pid, status, options | more, usage) };
    let child = (pid > 0).then(|| open_child(pid as id_t));
    until_there_is_one(options, child, || wait(libc::WNOHANG), || wait(0))
}

unsafe fn wait_by_kind_plainly(kind: idtype_t, id: id_t, about: *mut siginfo_t, options: c_int) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_waitid, [kind as usize, id as usize, about as usize, options as usize, 0, 0]) }
}

unsafe fn wait_by_kind(kind: idtype_t, id: id_t, about: *mut siginfo_t, options: c_int) -> isize {
    if kind == libc::P_PIDFD && is_nonblocking(id as c_int) {
        // SAFETY: the arguments of a call that was taken over.
        return unsafe { wait_by_kind_plainly(kind, id, about, options) };
    }
    // Whether there was one shows only in what is told of it.
    let mut own = MaybeUninit::<siginfo_t>::zeroed();
    let told = if about.is_null() { own.as_mut_ptr() } else { about };
    // SAFETY: the arguments of a call that was taken over. Zero is a siginfo_t.
    let ask = || unsafe {
        told.write_bytes(0, 1);
        match wait_by_kind_plainly(kind, id, told, options | libc::WNOHANG) {
            0 if (*told).si_pid() != 0 => 1,
            result => result,
        }
    };
    let child = match kind {
        libc::P_PID => Some(open_child(id)),
        libc::P_PIDFD => Some(Child { fd: id as c_int, owned: false }),
        _ => None,
    };
    // SAFETY: as above.
    let block = || unsafe { wait_by_kind_plainly(kind, id, about, options) };
    until_there_is_one(options, child, ask, block).min(0)
}

/// A descriptor that tells of a child's end, or an error in place of its number.
struct Child {
    fd: c_int,
    owned: bool,
}

fn open_child(pid: id_t) -> Child {
    // SAFETY: takes no memory.
    let fd = unsafe { call3(libc::SYS_pidfd_open, pid as usize, 0, 0) };
    Child { fd: fd as c_int, owned: fd >= 0 }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: it is ours.
            unsafe { call3(libc::SYS_close, self.fd as usize, 0, 0) };
        }
    }
}

/// Asks until there is one, which is when the answer is not zero.
fn until_there_is_one(
    options: c_int,
    child: Option<Child>,
    ask: impl Fn() -> isize,
    block: impl FnOnce() -> isize,
) -> isize {
    if embed::spend_budget()
        && let Some(error) = failure(yield_now())
    {
        return error;
    }
    let result = ask();
    if result != 0 || options & libc::WNOHANG != 0 {
        return result;
    }
    if !embed::can_wait() {
        return block();
    }
    // That of a child tells of its end only, and not that it was stopped.
    let ends_only = options & (libc::WSTOPPED | libc::WCONTINUED) == 0;
    let child = child.filter(|child| child.fd >= 0 && ends_only);
    until_signal(OnSignal::Restart, |signal| wait_until_there_is_one(child, ask, signal))
}

fn wait_until_there_is_one(child: Option<Child>, ask: impl Fn() -> isize, signal: &Signal<'_>) -> isize {
    /// A tracer hears of a stop this late at the most.
    const LATEST: Duration = Duration::from_secs(1);
    let mut patience = Patience::new(Part::Process, signal);
    let mut next_look = Duration::from_millis(1);
    loop {
        let ended = match &child {
            Some(child) => Call::reading(Part::Process, child.fd).wait(Some(after(next_look)), signal),
            None => Ended::Woken,
        };
        if let Some(error) = failure(ended) {
            return error;
        }
        let result = ask();
        if result != 0 {
            return result;
        }
        if ended == Ended::TimedOut {
            next_look = (next_look * 2).min(LATEST);
            continue;
        }
        if let Some(error) = failure(patience.after_a_vain_wake(None)) {
            return error;
        }
    }
}
