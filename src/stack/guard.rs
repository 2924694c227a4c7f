//! Guard pages: what is below a stack faults when it is touched.
//!
//! `madvise(MADV_GUARD_INSTALL)` (Linux 6.13) marks page-table entries and makes no mapping of
//! its own, so a million guarded stacks fit in a handful of mappings. Elsewhere `mprotect`
//! does it, at two mappings a stack. Which one works is found out once.

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::protect;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use protect_first_by_mapping as protect;

/// Guards at equal distances, of the same length: the low ends of neighbouring slots.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "only the first is ever made there")
)]
#[derive(Clone, Copy)]
pub(crate) struct Guards {
    pub(crate) first: *mut u8,
    /// In bytes.
    pub(crate) len: usize,
    pub(crate) distance: usize,
    /// At least one.
    pub(crate) count: usize,
}

/// Makes the first of the guards inaccessible by giving it a mapping of its own, and says so: one. A mapping
/// is too dear to be taken before it is needed.
///
/// # Safety
///
/// All guards are page-aligned, a multiple of the page size long, and nobody uses that memory.
pub(crate) unsafe fn protect_first_by_mapping(guards: Guards) -> io::Result<usize> {
    // SAFETY: the caller vouches that the memory is nobody's.
    match unsafe { libc::mprotect(guards.first.cast(), guards.len, libc::PROT_NONE) } {
        0 => Ok(1),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::array;
    use std::io;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Guards;
    use crate::stack::page_size;

    /// Not in `libc` for every target yet; the number is the same on all of them.
    const MADV_GUARD_INSTALL: libc::c_int = 102;

    /// Of the process itself, in place of a descriptor of one.
    const PIDFD_SELF: libc::c_int = -10_000;

    /// So many guards are made in one call. Their descriptions are on the stack of some greenlet, which
    /// they should not make grow by a page.
    const MOST_AT_ONCE: usize = 64;

    /// Makes the guards inaccessible, by the cheapest means the kernel has: the first one, and as many of the
    /// next as that covers. Returns how many.
    ///
    /// # Safety
    ///
    /// All guards are page-aligned, a multiple of the page size long, and nobody uses that memory.
    pub(crate) unsafe fn protect(guards: Guards) -> io::Result<usize> {
        static GUARD_REGIONS: OnceLock<bool> = OnceLock::new();
        if *GUARD_REGIONS.get_or_init(guard_regions_work) {
            // SAFETY: by the caller's word.
            if let Some(count) = unsafe { install_at_once(guards) } {
                return Ok(count);
            }
            // SAFETY: the caller vouches that the memory is nobody's.
            if unsafe { libc::madvise(guards.first.cast(), guards.len, MADV_GUARD_INSTALL) } == 0 {
                return Ok(1);
            }
            // Locked memory takes no guard region.
        }
        // SAFETY: by the caller's word.
        unsafe { super::protect_first_by_mapping(guards) }
    }

    /// Installs guard regions, several a call. `None` where there is just one to make, or where that is not
    /// possible (Linux before 6.14, some sandboxes); then it is not tried again.
    ///
    /// # Safety
    ///
    /// As for [`protect`].
    unsafe fn install_at_once(guards: Guards) -> Option<usize> {
        static REFUSED: AtomicBool = AtomicBool::new(false);
        let count = guards.count.min(MOST_AT_ONCE);
        if count < 2 || REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        let each: [libc::iovec; MOST_AT_ONCE] = array::from_fn(|at| libc::iovec {
            iov_base: guards.first.wrapping_add(at * guards.distance).cast(),
            iov_len: guards.len,
        });
        // SAFETY: the caller vouches that the memory is nobody's.
        let bytes = unsafe {
            libc::syscall(libc::SYS_process_madvise, PIDFD_SELF, each.as_ptr(), count, MADV_GUARD_INSTALL, 0)
        };
        // One that is half done is done again.
        let done = usize::try_from(bytes).unwrap_or(0) / guards.len;
        REFUSED.store(done == 0, Ordering::Relaxed);
        (done > 0).then_some(done)
    }

    /// Tries it. The call's own word is not enough: an emulator may accept advice that it does not
    /// know and do nothing.
    fn guard_regions_work() -> bool {
        let (len, flags) = (page_size(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh page of our own, which the kernel is asked to write to.
        unsafe {
            let page = libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
            if page == libc::MAP_FAILED {
                return false;
            }
            let installed = libc::madvise(page, len, MADV_GUARD_INSTALL) == 0;
            let refused = libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, page) == -1;
            libc::munmap(page, len);
            installed && refused
        }
    }
}
