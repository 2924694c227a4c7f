//! What a suspended greenlet waits for, in one word.
//!
//! A tag of a type is the address of a constant that holds a [`TypeId`]. Equal addresses therefore mean
//! equal types. The reverse need not hold where the linker did not merge two copies of the constant, so a
//! difference is looked at closely, off the fast path.

use std::any::TypeId;
use std::ptr;

/// A type of value, or something that no value is.
#[derive(Clone, Copy)]
pub(crate) struct Tag(Option<&'static TypeId>);

/// What a greenlet that waits in a scheduler is switched to with. Only the scheduler can send one.
pub(crate) struct Wake;

/// A constant that the linker cannot take for another one, because its size is its own.
struct Other<const MORE: usize>(TypeId, #[allow(dead_code, reason = "its size matters")] [u64; MORE]);

struct Anything;

/// There is one of this, unlike of the constants behind other tags.
static ANYTHING: TypeId = TypeId::of::<Anything>();

impl Tag {
    /// It is unstarted or dead: there is no pending switch.
    pub(crate) const NOTHING: Self = Self(None);
    /// It waits for a greenlet to unwind, and takes whatever brings control back. To be compared by
    /// [`is`](Self::is).
    pub(crate) const ANYTHING: Self = Self(Some(&ANYTHING));
    /// It waits in a scheduler, and a result that a child leaves is not what it waits for.
    pub(crate) const PARKED: Self = Self::of::<Wake>();

    #[inline(always)]
    pub(crate) const fn of<T: 'static>() -> Self {
        Self(Some(const { &TypeId::of::<T>() }))
    }

    /// Equal to [`of`](Self::of), and not the same: for a greenlet that only the slow path may continue.
    pub(crate) const fn slow<T: 'static>() -> Self {
        Self(Some(const { &Other(TypeId::of::<T>(), [0; 1]).0 }))
    }

    /// Equal to [`of`](Self::of), and not the same: for a greenlet with thread-local storage of its own, and
    /// nothing else to be seen to.
    pub(crate) const fn apart<T: 'static>() -> Self {
        Self(Some(const { &Other(TypeId::of::<T>(), [0; 2]).0 }))
    }

    /// Whether both are the same address: the fast path's question.
    #[inline(always)]
    pub(crate) fn is(self, other: Self) -> bool {
        let address = |tag: Self| tag.0.map_or(ptr::null(), ptr::from_ref);
        ptr::eq(address(self), address(other))
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.is(*other) || self.0 == other.0
    }
}
