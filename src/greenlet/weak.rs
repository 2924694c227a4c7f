//! Handles that keep nothing alive.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::core::Core;
use super::standing::Mark;
use super::{Greenlet, counting};

/// A handle that does not keep its greenlet from being unwound: what a greenlet that must know
/// itself, or two that must know each other, hold instead of a [`Greenlet`].
///
/// ```
/// use greenlet::Greenlet;
///
/// let g = Greenlet::new(|n: u32| n);
/// let weak = g.downgrade();
/// assert_eq!(weak.upgrade(), Some(g.clone()));
/// drop(g);
/// assert_eq!(weak.upgrade(), None);
/// ```
pub struct WeakGreenlet<T: 'static = ()> {
    core: NonNull<Core>,
    /// A block is used again; ids are not.
    id: u64,
    /// As for [`Greenlet`].
    value: PhantomData<*mut T>,
}

impl<T: 'static> Greenlet<T> {
    /// A handle that keeps nothing alive.
    pub fn downgrade(&self) -> WeakGreenlet<T> {
        WeakGreenlet::new(self.core, self.id())
    }
}

impl<T: 'static> WeakGreenlet<T> {
    fn new(core: NonNull<Core>, id: u64) -> Self {
        // SAFETY: whoever makes a weak handle has a live one, or another weak one.
        unsafe { core.as_ref() }.thread().retain_weakly();
        Self { core, id, value: PhantomData }
    }

    /// A full handle, if the greenlet is there: until its last handle goes, and not while it is
    /// being unwound because of that.
    pub fn upgrade(&self) -> Option<Greenlet<T>> {
        // SAFETY: the thread's state, which this handle keeps, keeps its blocks.
        let block = unsafe { self.core.as_ref() };
        let is_gone = block.is_dead() && block.refs.get() == 0;
        if block.id.get() != self.id || is_gone || block.standing.has(Mark::Forgotten) {
            return None;
        }
        counting::retain(self.core);
        let greenlet = Greenlet { core: self.core, value: PhantomData };
        greenlet.is_wanted_again();
        Some(greenlet)
    }
}

impl<T: 'static> Clone for WeakGreenlet<T> {
    fn clone(&self) -> Self {
        Self::new(self.core, self.id)
    }
}

impl<T: 'static> Drop for WeakGreenlet<T> {
    fn drop(&mut self) {
        // SAFETY: the thread's state, which this handle keeps, keeps its blocks.
        unsafe { self.core.as_ref() }.thread().release_weakly();
    }
}

impl<T: 'static> fmt::Debug for WeakGreenlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakGreenlet").field("id", &self.id).finish()
    }
}
