//! Guard pages: what is below a stack faults when it is touched.
//!
//! `madvise(MADV_GUARD_INSTALL)` (Linux 6.13) marks page-table entries and makes no mapping of
//! its own, so a million guarded stacks fit in a handful of mappings. Elsewhere `mprotect`
//! does it, at two mappings a stack. Which one works is found out once.

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::protect;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use protect_by_mapping as protect;

/// Makes the pages from `page` on inaccessible by giving them a mapping of their own.
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
    use std::ptr;
    use std::sync::OnceLock;

    use crate::stack::page_size;

    /// Not in `libc` for every target yet; the number is the same on all of them.
    const MADV_GUARD_INSTALL: libc::c_int = 102;

    /// Makes the pages from `page` on inaccessible, by the cheapest means the kernel has.
    ///
    /// # Safety
    ///
    /// `page` is page-aligned, `len` a multiple of the page size, and nobody uses that memory.
    pub(crate) unsafe fn protect(page: *mut u8, len: usize) -> io::Result<()> {
        static GUARD_REGIONS: OnceLock<bool> = OnceLock::new();
        if *GUARD_REGIONS.get_or_init(guard_regions_work) {
            // SAFETY: the caller vouches that the memory is nobody's.
            if unsafe { libc::madvise(page.cast(), len, MADV_GUARD_INSTALL) } == 0 {
                return Ok(());
            }
            // Locked memory takes no guard region.
        }
        // SAFETY: the caller vouches that the memory is nobody's.
        unsafe { super::protect_by_mapping(page, len) }
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
