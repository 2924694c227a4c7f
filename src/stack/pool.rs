//! Stacks that wait for their next user, one pool a thread.
//!
//! The last stack to come back is the first to go out: its top page is warm. A dying greenlet
//! gives its stack back while it still stands on it, which is sound because the pool writes
//! nothing into a stack, and because nobody else can take one before the thread has switched.

use std::cell::{Cell, UnsafeCell};

use super::region::Region;
use super::{SizeClass, Stack, StackError};

/// Stacks of one thread, by size class.
pub(crate) struct Pool {
    /// The last stack that came back, until somebody takes it or the next one comes.
    last: Cell<Option<Stack>>,
    classes: [UnsafeCell<Class>; SizeClass::COUNT],
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self { last: Cell::new(None), classes: [const { UnsafeCell::new(Class::new()) }; SizeClass::COUNT] }
    }

    /// A stack of the given class.
    pub(crate) fn take(&self, class: SizeClass) -> Result<Stack, StackError> {
        self.take_used(class).map_or_else(|| self.with(class, |free| free.carve(class)), Ok)
    }

    /// A stack of the given class, if one waits that was used before.
    #[inline(always)]
    pub(crate) fn take_used(&self, class: SizeClass) -> Option<Stack> {
        match self.last.get() {
            Some(last) if last.class() == class => self.last.take(),
            _ => self.with(class, |free| free.free.pop()),
        }
    }

    /// Gives a stack back.
    ///
    /// # Safety
    ///
    /// The stack came from this pool, and nothing on it is used again, except by a caller that
    /// stands on it and leaves it before the pool is asked for a stack.
    #[inline(always)]
    pub(crate) unsafe fn give_back(&self, stack: Stack) {
        if let Some(earlier) = self.last.replace(Some(stack)) {
            self.put_away(earlier);
        }
    }

    #[inline(never)]
    fn put_away(&self, stack: Stack) {
        self.with(stack.class(), |free| free.give_back(stack));
    }

    /// Returns the memory of every waiting stack to the system; the address space is kept.
    pub(crate) fn trim(&self) {
        self.last.take().into_iter().for_each(|last| self.put_away(last));
        for class in &self.classes {
            // SAFETY: as in `with`.
            unsafe { &mut *class.get() }.trim_to(0);
        }
    }

    /// Forgets all stacks. Their memory is freed, unless one of the same class is in use.
    pub(crate) fn clear(&self) {
        self.last.take().into_iter().for_each(|last| self.put_away(last));
        for class in &self.classes {
            // SAFETY: as in `with`.
            drop(std::mem::replace(unsafe { &mut *class.get() }, Class::new()));
        }
    }

    #[inline(always)]
    fn with<R>(&self, class: SizeClass, f: impl FnOnce(&mut Class) -> R) -> R {
        // SAFETY: a pool belongs to one thread, and nothing that is called here knows of it: the
        // closures are those above. There is a list for every size class.
        f(unsafe { &mut *self.classes.get_unchecked(class.index()).get() })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.clear();
    }
}

/// So many free stacks of a class keep their memory. When there are twice as many, the colder half
/// loses it, at once: neighbours share a system call.
const WARM: usize = 1024;

/// A region doubles what its class has reserved, up to this many bytes.
const LARGEST_REGION: usize = 8 << 30;
const FIRST_REGION_SLOTS: usize = 16;

#[repr(align(64))]
struct Class {
    /// Stacks that were used before. Those below `trimmed` own no memory.
    free: Vec<Stack>,
    /// May be more than there are, for stacks were taken since.
    trimmed: usize,
    regions: Vec<Region>,
}

impl Class {
    const fn new() -> Self {
        Self { free: Vec::new(), trimmed: 0, regions: Vec::new() }
    }

    #[cold]
    fn carve(&mut self, class: SizeClass) -> Result<Stack, StackError> {
        if let Some(carved) = self.regions.last_mut().and_then(Region::carve) {
            return carved;
        }
        let reserved: usize = self.regions.iter().map(Region::slots).sum();
        let slots = reserved.max(FIRST_REGION_SLOTS).min((LARGEST_REGION / class.bytes()).max(1));
        let mut region = Region::reserve(class, slots)?;
        // `give_back` must not allocate: it runs on a stack that is about to end.
        self.free.reserve(reserved + region.slots() - self.free.len());
        let carved = region.carve();
        self.regions.push(region);
        carved.expect("a fresh region has a slot")
    }

    fn give_back(&mut self, stack: Stack) {
        // Wraps, and is large, if stacks were taken that had been trimmed.
        if self.free.len().wrapping_sub(self.trimmed) >= 2 * WARM {
            self.trim_to(WARM);
        }
        let len = self.free.len();
        debug_assert!(len < self.free.capacity());
        // SAFETY: `carve` reserves a place for every stack that there is.
        unsafe {
            self.free.as_mut_ptr().add(len).write(stack);
            self.free.set_len(len + 1);
        }
    }

    /// Returns the memory of all but the `warm` warmest to the system, if there are twice as many.
    #[cold]
    fn trim_to(&mut self, warm: usize) {
        self.trimmed = self.trimmed.min(self.free.len());
        let cold = &mut self.free[self.trimmed..];
        if cold.len() < 2 * warm {
            return;
        }
        let cold = cold.len() - warm;
        let cold = &mut self.free[self.trimmed..][..cold];
        cold.sort_unstable_by_key(|stack| stack.guard());
        for neighbours in cold.chunk_by(|low, high| low.end().addr().get() == high.guard()) {
            decommit(neighbours);
        }
        self.trimmed += cold.len();
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        let carved: usize = self.regions.iter().map(Region::carved).sum();
        if carved > self.free.len() {
            // A greenlet that refused to unwind still stands on one of these stacks, and others
            // may hold pointers into it: its memory is never freed.
            self.regions.drain(..).for_each(std::mem::forget);
        }
    }
}

/// Gives the memory of free stacks, each the neighbour of the next, back to the system. Their guard
/// pages stay.
fn decommit(stacks: &[Stack]) {
    let (Some(lowest), Some(highest)) = (stacks.first(), stacks.last()) else { return };
    let low = lowest.low();
    let len = highest.end().addr().get() - low;
    // SAFETY: the range holds the bodies of stacks that nobody uses, whose content does not matter, and
    // guard pages, which stay. Where the call fails the stacks stay as they were, which is merely less
    // frugal.
    unsafe { libc::madvise(low as *mut libc::c_void, len, libc::MADV_DONTNEED) };
}
