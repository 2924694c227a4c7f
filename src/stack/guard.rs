//! Guard pages: the page below a stack faults when it is touched.
//!
//! `madvise(MADV_GUARD_INSTALL)` (Linux 6.13) marks page-table entries and makes no mapping of
//! its own, so a million guarded stacks fit in a handful of mappings. Elsewhere `mprotect`
//! does it, at two mappings a stack. Which one works is found out once.

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::protect;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use protect_by_mapping as protect;

/// Makes the page at `page` inaccessible by giving it a mapping of its own.
///
/// # Safety
///
/// `page` is page-aligned, `len` a multiple of the page size, and nobody uses that memory.
pub(crate) unsafe fn protect_by_mapping(page: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches that the memory is nobody's.
    match unsafe { libc::mprotect(page.cast(), len, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Not in `libc` for every target yet; the number is the same on all of them.
    const MADV_GUARD_INSTALL: libc::c_int = 102;

    static NO_GUARD_REGIONS: AtomicBool = AtomicBool::new(false);

    /// Makes the page at `page` inaccessible, by the cheapest means the kernel has.
    ///
    /// # Safety
    ///
    /// `page` is page-aligned, `len` a multiple of the page size, and nobody uses that memory.
    pub(crate) unsafe fn protect(page: *mut u8, len: usize) -> io::Result<()> {
        if !NO_GUARD_REGIONS.load(Ordering::Relaxed) {
            // SAFETY: the caller vouches that the memory is nobody's.
            if unsafe { libc::madvise(page.cast(), len, MADV_GUARD_INSTALL) } == 0 {
                return Ok(());
            }
            // EINVAL: an older kernel, or locked memory. In both cases the fallback serves,
            // and only in the first one would asking again be a waste.
            NO_GUARD_REGIONS.store(true, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { super::protect_by_mapping(page, len) }
    }
}
