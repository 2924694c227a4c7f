//! Stacks that wait for their next user, one pool a thread.
//!
//! The last stack to come back is the first to go out: its top page is warm. A dying greenlet
//! gives its stack back while it still stands on it, which is sound because the pool writes
//! nothing into a stack, and because nobody else can take one before the thread has switched.
//!
//! To give memory back to the system and to get it again costs more than all else about a stack. So a stack
//! keeps its memory for an epoch: as long as it takes for all to have come back twice, or whatever a
//! scheduler, which knows the time, takes for one. What nobody has wanted for all of it has been for a peak
//! that is over.

use std::cell::{Cell, UnsafeCell};

use super::region::Region;
use super::{SizeClass, Stack, StackError};
use crate::arch::{CACHE_LINE, FRAME_LINES, prefetch};

/// Stacks of one thread, by size class.
pub(crate) struct Pool {
    /// The last stack that came back, until somebody takes it or the next one comes.
    last: Cell<Option<Stack>>,
    /// How many there are.
    carved: Cell<usize>,
    classes: [UnsafeCell<Class>; SizeClass::COUNT],
}

impl Pool {
    pub(crate) const fn new() -> Self {
        Self {
            last: Cell::new(None),
            carved: Cell::new(0),
            classes: [const { UnsafeCell::new(Class::new()) }; SizeClass::COUNT],
        }
    }

    /// A stack of the given class that was never used. Takes memory of the allocator: where that may let
    /// others run, they must be kept from asking for stacks as well.
    #[cold]
    pub(crate) fn carve(&self, class: SizeClass) -> Result<Stack, StackError> {
        let carved = self.with(class, |free| free.carve(class))?;
        self.carved.set(self.carved.get() + 1);
        Ok(carved)
    }

    /// A stack of the given class, if one waits that was used before.
    #[inline(always)]
    pub(crate) fn take_used(&self, class: SizeClass) -> Option<Stack> {
        // No class is zero.
        let waits = self.last.get().map_or(0, |last| last.class().0);
        if waits == class.0 { self.last.take() } else { self.with(class, Class::pop) }
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
        self.classes().for_each(|class| class.trim(class.warm(), usize::MAX));
    }

    /// Whether so many stacks wait that some may be for a peak that is over.
    #[cfg(feature = "hub")]
    #[inline]
    pub(crate) fn may_be_past_a_peak(&self) -> bool {
        self.carved.get() >= 2 * WARM && self.classes().any(|class| class.warm() >= 2 * WARM)
    }

    /// Ends an epoch: what nobody has wanted since the last one ended loses its memory.
    #[cfg(feature = "hub")]
    pub(crate) fn end_epoch(&self) {
        self.classes().for_each(Class::end_epoch);
    }

    /// Forgets all stacks. Their memory is freed, unless one of the same class is in use.
    pub(crate) fn clear(&self) {
        self.last.take().into_iter().for_each(|last| self.put_away(last));
        self.carved.set(0);
        self.classes().for_each(|class| drop(std::mem::replace(class, Class::new())));
    }

    #[inline(always)]
    fn with<R>(&self, class: SizeClass, f: impl FnOnce(&mut Class) -> R) -> R {
        // SAFETY: a pool belongs to one thread, and nothing that is called here knows of it: the
        // closures are those above, and whom an allocator lets run is kept from it by the caller of
        // `carve`. There is a list for every size class.
        f(unsafe { &mut *self.classes.get_unchecked(class.index()).get() })
    }

    fn classes(&self) -> impl Iterator<Item = &mut Class> {
        // SAFETY: as in `with`, and each comes once.
        self.classes.iter().map(|class| unsafe { &mut *class.get() })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.clear();
    }
}

/// So many free stacks of a class keep their memory whether anybody wants them or not. Fewer than that above
/// it are not worth a system call.
const WARM: usize = 1024;

/// So many lose it at the end of an epoch: others have to wait meanwhile.
const MOST_AT_ONCE: usize = 16 * WARM;

/// A region doubles what its class has reserved, up to this many bytes.
const LARGEST_REGION: usize = 8 << 30;
const FIRST_REGION_SLOTS: usize = 16;

#[repr(align(64))]
struct Class {
    /// Stacks that were used before. Those below `trimmed` own no memory.
    free: Vec<Stack>,
    /// May be more than there are, for stacks were taken since.
    trimmed: usize,
    /// So many, from the bottom, nobody has wanted in this epoch.
    unwanted: usize,
    /// How many have come back in this epoch.
    returned: usize,
    regions: Vec<Region>,
}

impl Class {
    const fn new() -> Self {
        Self { free: Vec::new(), trimmed: 0, unwanted: 0, returned: 0, regions: Vec::new() }
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<Stack> {
        let stack = self.free.pop();
        // Where many start one after the other, the next stack is not in the caches.
        if let Some(next) = self.free.last() {
            (1..=FRAME_LINES).for_each(|line| prefetch(next.top().as_ptr().wrapping_sub(line * CACHE_LINE)));
        }
        stack
    }

    fn carve(&mut self, class: SizeClass) -> Result<Stack, StackError> {
        if let Some(carved) = self.regions.last_mut().and_then(Region::carve) {
            return carved;
        }
        let reserved: usize = self.regions.iter().map(Region::slots).sum();
        let slots = reserved.max(FIRST_REGION_SLOTS).min((LARGEST_REGION / class.bytes()).max(1));
        let mut region = Region::reserve(class, slots)?;
        // `give_back` must not allocate: it runs on a stack that is about to end. To reserve more in the same
        // list might copy all of its room, used or not, and so touch what nobody may ever use.
        let mut free = Vec::with_capacity(reserved + region.slots());
        free.append(&mut self.free);
        self.free = free;
        let carved = region.carve();
        self.regions.push(region);
        carved.expect("a fresh region has a slot")
    }

    fn give_back(&mut self, stack: Stack) {
        let len = self.free.len();
        self.trimmed = self.trimmed.min(len);
        // As stacks go out from the top, there have never been fewer than just before one comes back.
        self.unwanted = self.unwanted.min(len);
        self.returned += 1;
        if self.returned > 2 * (len + WARM) {
            self.end_epoch();
        }
        debug_assert!(len < self.free.capacity());
        // SAFETY: `carve` reserves a place for every stack that there is.
        unsafe {
            self.free.as_mut_ptr().add(len).write(stack);
            self.free.set_len(len + 1);
        }
    }

    /// How many own memory.
    fn warm(&self) -> usize {
        self.free.len().saturating_sub(self.trimmed)
    }

    #[cold]
    fn end_epoch(&mut self) {
        let unwanted = self.unwanted.min(self.free.len());
        let spared = self.free.len().saturating_sub(WARM);
        let cold = unwanted.min(spared).saturating_sub(self.trimmed);
        if cold >= WARM {
            self.trim(cold, MOST_AT_ONCE);
        }
        self.unwanted = self.free.len();
        self.returned = 0;
    }

    /// Returns the memory of so many more from the bottom to the system, or of `most` of those. Neighbours
    /// share a system call.
    fn trim(&mut self, cold: usize, most: usize) {
        self.trimmed = self.trimmed.min(self.free.len());
        let mut cold = &mut self.free[self.trimmed..][..cold];
        if cold.len() > most {
            cold = cold.select_nth_unstable_by_key(most, |stack| stack.guard()).0;
        }
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
