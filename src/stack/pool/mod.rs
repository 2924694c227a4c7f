//! Stacks that wait for their next user, one pool a thread.
//!
//! The last stack to come back is the first to go out: its top page is warm. All others wait by size, as a
//! [`Class`]. Who ends may give its own back while it still stands on it, which is sound because the pool
//! writes nothing into a stack, and because nobody else can take one before the thread has switched.

mod class;
mod group;
#[cfg(test)]
mod tests;

use std::cell::{Cell, UnsafeCell};

use self::class::Class;
use super::{SizeClass, Stack, StackError};

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

    /// The stack that came back last, if nobody has taken it and it is of the given class.
    #[inline(always)]
    pub(crate) fn take_last(&self, class: SizeClass) -> Option<Stack> {
        // No class is zero.
        let waits = self.last.get().map_or(0, |last| last.class().0);
        if waits == class.0 { self.last.take() } else { None }
    }

    /// A stack of the given class that came back before the last one, if one waits.
    pub(crate) fn take_earlier(&self, class: SizeClass) -> Option<Stack> {
        self.with(class, |free| free.take(class))
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

    /// The stack that is around an address, whether somebody uses it or not.
    pub(crate) fn stack_around(&self, address: usize) -> Option<Stack> {
        // SAFETY: only looks. The handler of a fault calls this; what changes the lists has called the allocator
        // before it does, and touches nothing else that may fault.
        self.classes.iter().find_map(|class| unsafe { &*class.get() }.stack_around(address))
    }

    /// Returns the memory of every waiting stack to the system; the address space is kept.
    pub(crate) fn trim(&self) {
        self.last.take().into_iter().for_each(|last| self.put_away(last));
        self.classes().for_each(Class::trim);
    }

    /// Whether so many stacks wait that some may be for a peak that is over.
    #[cfg(feature = "hub")]
    #[inline]
    pub(crate) fn may_be_past_a_peak(&self) -> bool {
        self.carved.get() >= Class::PEAK && self.classes().any(|class| class.may_be_past_a_peak())
    }

    /// Ends an epoch: what nobody has wanted since the last one ended loses its memory.
    #[cfg(feature = "hub")]
    pub(crate) fn end_epoch(&self) {
        self.classes().for_each(Class::end_epoch);
    }

    /// Frees the memory of all stacks, but of those of a class of which one is in use.
    pub(crate) fn clear(&self) {
        self.last.take().into_iter().for_each(|last| self.put_away(last));
        let unused = self.classes().filter(|class| !class.is_in_use());
        unused.for_each(|class| drop(std::mem::replace(class, Class::new())));
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
        // The last one waits, too, which decides on the fate of its class.
        self.clear();
    }
}
