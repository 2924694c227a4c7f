//! System calls, and what libc makes of their results.

use std::arch::asm;
use std::ffi::{c_int, c_long};

/// Makes a system call. The result is the kernel's: an error is its number, negative.
///
/// # Safety
///
/// As the system call has it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn call(number: c_long, args: [usize; 6]) -> isize {
    let result;
    // SAFETY: the caller's word; the kernel keeps all registers but these.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a system call. The result is the kernel's: an error is its number, negative.
///
/// # Safety
///
/// As the system call has it.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) unsafe fn call(number: c_long, args: [usize; 6]) -> isize {
    let result;
    // SAFETY: the caller's word; the kernel keeps all registers but this.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack),
        );
    }
    result
}

/// As [`call`], for those that take three arguments at most.
///
/// # Safety
///
/// As the system call has it.
#[inline(always)]
pub(super) unsafe fn call3(number: c_long, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: the caller's word.
    unsafe { call(number, [a, b, c, 0, 0, 0]) }
}

/// The error as the kernel returns it.
pub(super) const fn error(number: c_int) -> isize {
    -(number as isize)
}

/// What a function of libc returns: an error's number goes to `errno`, which is left alone otherwise.
#[inline]
pub(super) fn answer(result: isize) -> isize {
    if (-4095..0).contains(&result) {
        set_errno(-result as c_int);
        -1
    } else {
        result
    }
}

/// As [`answer`], for a function that returns an `int`.
#[inline]
pub(super) fn answer_int(result: isize) -> c_int {
    answer(result) as c_int
}

#[inline]
pub(super) fn errno() -> c_int {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() }
}

#[inline]
pub(super) fn set_errno(number: c_int) {
    // SAFETY: the thread's own.
    unsafe { *libc::__errno_location() = number };
}
