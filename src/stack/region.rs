//! A large mapping, carved into stacks of one size.

use std::ptr::{self, NonNull};

use super::valgrind::Known;
use super::{SizeClass, Stack, StackError, guard};

/// A reservation of address space whose slots are handed out once each, from the low end.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    class: SizeClass,
    /// Where the next slot that was never used begins.
    next: usize,
    /// Empty where no Valgrind runs the program.
    known: Vec<Known>,
}

impl Region {
    /// Reserves `slots` slots, or fewer where the system refuses that many.
    pub(crate) fn reserve(class: SizeClass, slots: usize) -> Result<Self, StackError> {
        let mut slots = slots;
        loop {
            let len = slots * class.bytes();
            match map(len) {
                Some(base) => return Ok(Self { base, len, class, next: 0, known: Vec::new() }),
                None if slots > 1 => slots /= 2,
                None => return Err(StackError::map(len)),
            }
        }
    }

    /// The next slot that was never used, with its guard in place; `None` at the end.
    pub(crate) fn carve(&mut self) -> Option<Result<Stack, StackError>> {
        if self.next == self.len {
            return None;
        }
        // SAFETY: `next` is less than `len`, so the address is inside the mapping.
        let low = unsafe { self.base.add(self.next) };
        // SAFETY: the low end of a slot that was not handed out is nobody's.
        if unsafe { guard::protect(low.as_ptr(), self.class.guard_bytes()) }.is_err() {
            return Some(Err(StackError::guard(self.class.bytes())));
        }
        self.next += self.class.bytes();
        // SAFETY: `next` is at most `len`, so the address is inside the mapping or its end.
        let end = unsafe { self.base.add(self.next) };
        let stack = Stack::new(end, self.class);
        self.known.extend(Known::new(stack.low()..end.addr().get()));
        Some(Ok(stack))
    }

    pub(crate) fn slots(&self) -> usize {
        self.len / self.class.bytes()
    }

    /// How many slots were handed out.
    pub(crate) fn carved(&self) -> usize {
        self.next / self.class.bytes()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this region's own; the pool drops a region only when none of
        // its stacks is in use.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Asks that nothing be set aside for a mapping before it is touched. Elsewhere that is the rule.
#[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
const NO_RESERVE: libc::c_int = libc::MAP_NORESERVE;
#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
const NO_RESERVE: libc::c_int = 0;

/// Maps `len` bytes that cost nothing until they are touched.
fn map(len: usize) -> Option<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | NO_RESERVE;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches nobody.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return None;
    }
    // A huge page would make each stack cost two megabytes. The advice may be refused where
    // the kernel has no huge pages: then there is nothing to prevent.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: advice on the mapping just made.
    unsafe {
        libc::madvise(base, len, libc::MADV_NOHUGEPAGE)
    };
    NonNull::new(base.cast())
}
