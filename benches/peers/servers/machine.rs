//! Cores and limits.

use std::mem;

/// The server has a core to itself, and the load another one.
#[derive(Clone, Copy)]
pub struct Cores {
    pub of_server: usize,
    pub of_load: usize,
}

impl Cores {
    /// Two of those that this process may use, if there are two. Whoever stays on one of them, and who is started by
    /// that, may use no other.
    pub fn find() -> Option<Self> {
        let [of_server, of_load, ..] = allowed(0)[..] else { return None };
        Some(Self { of_server, of_load })
    }
}

/// Keeps this thread, and what it starts, on one core from now on.
pub fn stay_on(core: usize) {
    // SAFETY: a set of processors is plain data, and zero is an empty one. The number is within the set.
    let status = unsafe {
        let mut one: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core, &mut one);
        libc::sched_setaffinity(0, size_of_val(&one), &one)
    };
    check(status).expect("a core that there is");
}

/// The cores that a process may use; zero is this one.
pub fn allowed(process: libc::pid_t) -> Vec<usize> {
    // SAFETY: as above; writes to a set of our own.
    let (status, set) = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        (libc::sched_getaffinity(process, size_of_val(&set), &mut set), set)
    };
    check(status).expect("a process that there is");
    // SAFETY: the numbers are within the set.
    (0..libc::CPU_SETSIZE as usize).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
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
