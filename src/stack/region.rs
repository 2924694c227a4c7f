//! A large mapping, carved into stacks of one size.

use std::io;
use std::ptr::{self, NonNull};

use super::guard::{self, Guards};
use super::valgrind::Known;
use super::{SizeClass, Stack, StackError};

/// A reservation of address space whose slots are handed out once each, from the low end.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    class: SizeClass,
    /// Where the next slot that was never used begins.
    next: usize,
    /// Where the next slot without a guard begins.
    unguarded: usize,
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
                Some(base) => return Ok(Self { base, len, class, next: 0, unguarded: 0, known: Vec::new() }),
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
        if self.next == self.unguarded && self.guard_next().is_err() {
            return Some(Err(StackError::guard(self.class.bytes())));
        }
        self.next += self.class.bytes();
        // SAFETY: `next` is at most `len`, so the address is inside the mapping or its end.
        let end = unsafe { self.base.add(self.next) };
        let stack = Stack::new(end, self.class);
        self.known.extend(Known::new(stack.low()..end.addr().get()));
        Some(Ok(stack))
    }

    /// Guards the next slot, and as many more as were handed out so far, if that takes no further call.
    fn guard_next(&mut self) -> io::Result<()> {
        let left = self.slots() - self.carved();
        // SAFETY: a slot is left, so the address is inside the mapping.
        let first = unsafe { self.base.add(self.unguarded) };
        let guards = Guards {
            first: first.as_ptr(),
            len: self.class.guard_bytes(),
            distance: self.class.bytes(),
            count: self.carved().clamp(1, left),
        };
        // SAFETY: the low ends of slots that were not handed out are nobody's.
        self.unguarded += unsafe { guard::protect(guards) }? * self.class.bytes();
        Ok(())
    }

    pub(crate) fn class(&self) -> SizeClass {
        self.class
    }

    /// The low end of a slot.
    pub(crate) fn slot(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.slots());
        // SAFETY: the slot is inside the mapping.
        unsafe { self.base.add(index * self.class.bytes()) }
    }

    /// Which slot a stack of the same class is, if it is one of these.
    #[inline]
    pub(crate) fn slot_of(&self, stack: Stack) -> Option<usize> {
        let offset = stack.guard().wrapping_sub(self.base.addr().get());
        (offset < self.len).then(|| offset / self.class.bytes())
    }

    /// The stack whose slot an address is in, if it is one of these.
    pub(crate) fn stack_around(&self, address: usize) -> Option<Stack> {
        let offset = address.wrapping_sub(self.base.addr().get());
        let end = (offset / self.class.bytes() + 1) * self.class.bytes();
        // SAFETY: slots that were handed out are inside the mapping.
        (offset < self.next).then(|| Stack::new(unsafe { self.base.add(end) }, self.class))
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
    // Stacks are found by their address.
    base.expose_provenance();
    NonNull::new(base.cast())
}
