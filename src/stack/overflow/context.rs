//! Where the kernel keeps the stack pointer of what a signal has interrupted.

use libc::{c_void, ucontext_t};

/// The stack pointer of the code that a signal has interrupted; `None` on systems that are not listed
/// here.
///
/// # Safety
///
/// The context is the third argument of a signal handler that is running.
#[allow(unreachable_code, unused_variables)]
pub(super) unsafe fn stack_pointer(context: *const c_void) -> Option<usize> {
    // SAFETY: the caller's word.
    let context = unsafe { &*context.cast::<ucontext_t>() };
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"))]
    return Some(context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize);
    #[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "aarch64"))]
    return Some(context.uc_mcontext.sp as usize);
    #[cfg(all(target_vendor = "apple", target_arch = "aarch64"))]
    // SAFETY: it points into the same signal frame.
    return Some(unsafe { &*context.uc_mcontext }.__ss.__sp as usize);
    #[cfg(all(target_os = "freebsd", target_arch = "x86_64"))]
    return Some(context.uc_mcontext.mc_rsp as usize);
    None
}
