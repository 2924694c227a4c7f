//! A counted pointer to a source.
//!
//! It is what an `Rc` would be, with one count of four bytes in place of two of eight, and with the source in
//! memory that each thread uses again: a server has one for each connection.

use std::ops::Deref;
use std::ptr::NonNull;

use super::Source;
use crate::hub::memory::{self, Size};

/// Keeps a source.
pub(crate) struct SourceRef(NonNull<Source>);

/// What a source takes.
static SIZE: Size = Size::of::<Source>();

impl SourceRef {
    /// To a source whose one count is this one.
    pub(super) fn new(source: Source) -> Self {
        debug_assert!(source.refs.get() == 1);
        let place = memory::take(&SIZE).cast();
        // SAFETY: memory of this size, which is nobody else's.
        unsafe { place.write(source) };
        Self(place)
    }
}

impl Deref for SourceRef {
    type Target = Source;

    #[inline]
    fn deref(&self) -> &Source {
        // SAFETY: kept by this count.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for SourceRef {
    #[inline]
    fn clone(&self) -> Self {
        let refs = self.refs.get().checked_add(1).expect("fewer than 2^32 handles of one descriptor");
        self.refs.set(refs);
        Self(self.0)
    }
}

impl Drop for SourceRef {
    #[inline]
    fn drop(&mut self) {
        let left = self.refs.get() - 1;
        self.refs.set(left);
        if left == 0 {
            // SAFETY: that was the last count.
            unsafe { free(self.0) };
        }
    }
}

/// Drops a source and gives its memory back.
///
/// # Safety
///
/// Nobody has the source any more.
unsafe fn free(source: NonNull<Source>) {
    // SAFETY: the caller's word; it was written to memory of this size by `new`.
    unsafe {
        source.drop_in_place();
        memory::give_back(source.cast(), &SIZE);
    }
}
