//! Cores and limits.

use std::mem;

/// The server has a core to itself, and the load another one.
#[derive(Clone, Copy)]
pub enum Core {
    OfServer,
    OfLoad,
}

/// Keeps this process on one core from now on, if there are two.
pub fn stay_on(core: Core) {
    // SAFETY: a set of processors is plain data, and zero is an empty one.
    let mut allowed: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: writes to a set of our own.
    unsafe { libc::sched_getaffinity(0, size_of_val(&allowed), &mut allowed) };
    let is_allowed = |cpu: &usize| {
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_ISSET(*cpu, &allowed) }
    };
    let cores: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect();
    let [first, second, ..] = cores[..] else { return };
    // SAFETY: as above; the numbers are within the set.
    unsafe {
        let mut one: libc::cpu_set_t = mem::zeroed();
        match core {
            Core::OfServer => libc::CPU_SET(first, &mut one),
            Core::OfLoad => libc::CPU_SET(second, &mut one),
        }
        libc::sched_setaffinity(0, size_of_val(&one), &one);
    }
}

/// Raises the limit on open files as far as it goes.
pub fn allow_many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes a limit of our own.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// The result of a system call that says -1 when it fails.
pub fn check(result: impl TryInto<isize>) -> std::io::Result<usize> {
    match result.try_into() {
        Ok(count @ 0..) => Ok(count as usize),
        _ => Err(std::io::Error::last_os_error()),
    }
}
