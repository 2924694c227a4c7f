//! Which file descriptors are ready.
//!
//! Each descriptor is registered once, for both directions, in edge mode, when somebody first has
//! to wait for it, and never modified. Between events its [`Source`] remembers whether an
//! operation is worth trying.
//!
//! One file per way to wait, behind one private interface: `epoll` for Linux, which needs one
//! system call a wait, and `portable` for all else that the `polling` crate supports.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod portable;
mod source;

#[cfg(any(target_os = "linux", target_os = "android"))]
use epoll as sys;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use portable as sys;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::Duration;

use slab::Slab;

use super::Fiber;
pub(crate) use source::{Direction, Source};
pub(crate) use sys::Waker;

/// What an event says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer will send no more, or there is an error to fetch.
    pub(crate) ended: bool,
}

pub(crate) struct Poller {
    selector: sys::Selector,
    sources: RefCell<Slab<Registered>>,
    next_age: Cell<u32>,
    /// How many greenlets wait for a descriptor.
    waiters: Cell<usize>,
}

struct Registered {
    age: u32,
    source: NonNull<Source>,
}

/// Names a registered source in events: a slot, and an age that tells its users apart, because a
/// slot is used again at once and an event may be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    slot: u32,
    age: u32,
}

impl Key {
    fn to_bits(self) -> u64 {
        u64::from(self.age) << 32 | u64::from(self.slot)
    }

    fn from_bits(bits: u64) -> Self {
        Self { slot: bits as u32, age: (bits >> 32) as u32 }
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            selector: sys::Selector::new()?,
            sources: RefCell::default(),
            next_age: Cell::new(0),
            waiters: Cell::new(0),
        })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.selector.waker()
    }

    /// Whether anything is registered.
    pub(crate) fn is_watching(&self) -> bool {
        !self.sources.borrow().is_empty()
    }

    /// Whether any greenlet waits for a descriptor.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.get() > 0
    }

    /// # Safety
    ///
    /// The source does not move and is [forgotten](Self::forget) before it is dropped.
    unsafe fn register(&self, source: &Source, fd: BorrowedFd<'_>) -> io::Result<Key> {
        let mut sources = self.sources.borrow_mut();
        let entry = sources.vacant_entry();
        // Slots stay far below 2^32; the greatest age is skipped, because the greatest key is
        // the poller's own.
        let age = self.next_age.get() % (u32::MAX - 1);
        self.next_age.set(age + 1);
        let key = Key { slot: entry.key() as u32, age };
        self.selector.add(fd, key)?;
        entry.insert(Registered { age, source: NonNull::from(source) });
        Ok(key)
    }

    /// Takes a source out. `closing` says that its descriptor is about to be closed for good.
    fn forget(&self, key: Key, fd: BorrowedFd<'_>, closing: bool) {
        self.sources.borrow_mut().remove(key.slot as usize);
        if !(closing && sys::FORGETS_CLOSED) {
            // A descriptor that is unknown to the selector is what was wanted.
            let _ = self.selector.delete(fd);
        }
    }

    /// Waits for events and hands those who waited for them to `make_ready`.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut make_ready: impl FnMut(&Fiber),
    ) -> io::Result<()> {
        self.selector.wait(timeout, |key, readiness| {
            let sources = self.sources.borrow();
            if let Some(registered) = sources.get(key.slot as usize)
                && registered.age == key.age
            {
                // SAFETY: a registered source is alive (see `register`).
                unsafe { registered.source.as_ref() }.note(readiness, &mut make_ready);
            }
        })
    }
}
