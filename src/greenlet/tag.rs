//! What a suspended greenlet waits for, in one word.
//!
//! A tag is the address of a constant that holds a [`TypeId`]. Equal addresses therefore mean equal
//! types. The reverse need not hold where the linker did not merge two copies of the constant, so a
//! difference is looked at closely, off the fast path.

use std::any::TypeId;
use std::ptr;

/// A type of value, or one of two things that no value is.
#[derive(Clone, Copy)]
pub(crate) struct Tag(&'static TypeId);

struct Nothing;
struct Anything;

impl Tag {
    /// It is unstarted or dead: there is no pending switch.
    pub(crate) const NOTHING: Self = Self::of::<Nothing>();
    /// It waits for a greenlet to unwind, and takes whatever brings control back.
    pub(crate) const ANYTHING: Self = Self::of::<Anything>();

    #[inline(always)]
    pub(crate) const fn of<T: 'static>() -> Self {
        Self(const { &TypeId::of::<T>() })
    }

    /// Whether both are the same constant: the fast path's question.
    #[inline(always)]
    pub(crate) fn is(self, other: Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.is(*other) || self.0 == other.0
    }
}
