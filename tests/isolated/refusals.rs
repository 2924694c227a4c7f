//! What the kernel is made to refuse to a thread, and to those that it starts.

use libc::sock_filter;

/// Where a filter finds the number of the call...
const CALL: u32 = 0;
/// ... and the lower half of its third argument.
const THIRD: u32 = 32;

/// `madvise(MADV_GUARD_INSTALL)`, as on kernels before 6.13.
pub fn refuse_guard_regions() {
    const GUARD_INSTALL: u32 = 102;
    install(&mut [
        load(CALL),
        skip_unless(libc::SYS_madvise, 3),
        load(THIRD),
        skip_unless(GUARD_INSTALL.into(), 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ]);
}

/// Threads, as where there are too many.
pub fn refuse_threads() {
    install(&mut [
        load(CALL),
        skip_unless(libc::SYS_clone3, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::EAGAIN as u32),
        skip_unless(libc::SYS_clone, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::EAGAIN as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ]);
}

/// `epoll_pwait2`, as a sandbox that does not know it.
pub fn refuse_fine_timeouts() {
    install(&mut [
        load(CALL),
        skip_unless(libc::SYS_epoll_pwait2, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ]);
}

fn load(k: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k }
}

fn skip_unless(number: i64, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf, k: number as u32 }
}

fn answer(k: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k }
}

fn install(filter: &mut [sock_filter]) {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is as long as it says.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program), 0);
    }
}
