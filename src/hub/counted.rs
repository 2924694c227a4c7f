//! Counted pointers to what is kept in [memory](super::memory) of its own, such as tasks and sources.
//!
//! Each is what an `Rc` would be, with one count of four bytes in place of two of eight, which stands among
//! the other small fields of what it counts.

use std::cell::Cell;
use std::mem;
use std::ops::Deref;
use std::ptr::NonNull;

/// What there are such pointers to.
///
/// # Safety
///
/// The count is the same one each time, and only the pointers change it.
pub(crate) unsafe trait Count {
    /// How many pointers there are.
    fn refs(&self) -> &Cell<u32>;

    /// Drops it and gives its memory back.
    ///
    /// # Safety
    ///
    /// The last pointer to it has gone.
    unsafe fn free(this: NonNull<Self>);
}

/// A pointer that keeps what it points to.
pub(crate) struct Counted<X: Count>(NonNull<X>);

impl<X: Count> Counted<X> {
    /// # Safety
    ///
    /// It is there, and one of its counts is the caller's, which goes over to this pointer.
    #[inline]
    pub(crate) unsafe fn from_raw(pointer: NonNull<X>) -> Self {
        Self(pointer)
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> NonNull<X> {
        self.0
    }

    /// Gives this count up, unless it is the last one.
    #[inline]
    pub(crate) fn into_last(self) -> Option<Self> {
        let left = self.refs().get() - 1;
        if left == 0 {
            return Some(self);
        }
        self.refs().set(left);
        mem::forget(self);
        None
    }
}

impl<X: Count> Deref for Counted<X> {
    type Target = X;

    #[inline]
    fn deref(&self) -> &X {
        // SAFETY: kept by this count.
        unsafe { self.0.as_ref() }
    }
}

impl<X: Count> Clone for Counted<X> {
    #[inline]
    fn clone(&self) -> Self {
        let refs = self.refs().get().checked_add(1).expect("fewer than 2^32 handles of one thing");
        self.refs().set(refs);
        Self(self.0)
    }
}

impl<X: Count> Drop for Counted<X> {
    #[inline]
    fn drop(&mut self) {
        let left = self.refs().get() - 1;
        self.refs().set(left);
        if left == 0 {
            // SAFETY: that was the last count.
            unsafe { X::free(self.0) };
        }
    }
}
