//! Which file descriptors are ready.
//!
//! Each descriptor is registered once, for both directions, in edge mode, when somebody first has
//! to wait for it, and never modified. Between events its [`Source`] remembers whether an
//! operation is worth trying.
//!
//! One file per way to wait, behind one private interface: `epoll` for Linux, which needs one
//! system call a wait, `portable` for all else that the `polling` crate supports, and `poll` for
//! `poll(2)`, which any program may choose instead.

mod backend;
mod dead;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
mod look;
mod outside;
mod poll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod portable;
mod selector;
mod source;
mod table;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use super::Fiber;
use super::one_more::OneMore;
use selector::Selector;
use table::{Key, Table};

pub(crate) use self::look::poll_fds;
pub use backend::{Backend, UnknownBackend};
pub(crate) use outside::Outsider;
pub(crate) use selector::Waker;
pub(crate) use source::{Direction, Source, SourceRef};

/// What an event says.
#[derive(Clone, Copy, Debug, Default)]
struct Readiness {
    readable: bool,
    writable: bool,
    /// Not just more data: the end of it, an error to fetch, or something urgent.
    irregular: bool,
}

pub(crate) struct Poller {
    selector: Selector,
    table: RefCell<Table>,
    /// How many greenlets wait for a descriptor.
    waiters: Cell<usize>,
    outside: outside::Outside,
}

impl Poller {
    pub(crate) fn new(backend: Backend) -> io::Result<Self> {
        Ok(Self {
            selector: Selector::new(backend)?,
            table: RefCell::default(),
            waiters: Cell::new(0),
            outside: outside::Outside::new(),
        })
    }

    pub(crate) fn backend(&self) -> Backend {
        self.selector.backend()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.selector.waker()
    }

    /// Whether an event says that the stream has ended.
    fn tells_end(&self) -> bool {
        self.selector.tells_end()
    }

    /// Whether there is anything that an event may be for: what is registered, and what is waited for from outside.
    pub(crate) fn is_watching(&self) -> bool {
        !self.table.borrow().is_empty() || self.has_waiters()
    }

    /// Whether any greenlet waits for a descriptor.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.get() > 0
    }

    /// One more greenlet waits for a descriptor, until the guard is dropped.
    pub(crate) fn count_waiter(&self) -> OneMore<'_> {
        OneMore::of(&self.waiters)
    }

    /// Watches a source's descriptor for it, until it is forgotten.
    fn register(&self, source: &Source) -> io::Result<Key> {
        let fd = source.raw_fd();
        let key = self.table.borrow_mut().insert(source);
        let added = self.selector.add(fd, key);
        if added.is_err() {
            self.table.borrow_mut().remove(fd);
        }
        added.map(|()| key)
    }

    /// Takes a source out. `closing` says that its description is about to be closed for good.
    fn forget(&self, fd: RawFd, closing: bool) {
        self.table.borrow_mut().remove(fd);
        if !(closing && self.selector.forgets_closed()) {
            // A descriptor that is unknown to the selector is what was wanted.
            let _ = self.selector.delete(fd);
        }
        // Who waits for it from outside has to see to that again.
        self.wake_outside(fd);
    }

    /// Has those look again who wait for a descriptor from outside.
    fn wake_outside(&self, fd: RawFd) {
        super::with_existing(|hub| self.outside.wake(fd, |fiber| hub.make_ready(fiber)));
    }

    /// Leaves its sources to another poller, and those who wait for them behind.
    pub(super) fn leave_behind(&self) {
        self.table.borrow().iter().for_each(|(_, source)| source.leave_behind());
    }

    /// What becomes readable when there is an event to [wait](Self::wait) for.
    pub(super) fn descriptor(&self) -> io::Result<BorrowedFd<'_>> {
        self.selector.descriptor()
    }

    /// Waits for events and hands those who waited for them to `make_ready`. Says whether there may be more
    /// at once.
    #[inline]
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut make_ready: impl FnMut(&Fiber),
    ) -> io::Result<bool> {
        let on_event = |key: Key, readiness| {
            if let Some(source) = self.table.borrow().get(key) {
                source.note(readiness, &mut make_ready);
                self.outside.wake(source.raw_fd(), &mut make_ready);
            }
            if let Some(fd) = key.outside_fd() {
                self.outside.wake(fd, &mut make_ready);
            }
        };
        match &self.selector {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Selector::System(system) => {
                let look_ahead = |key, steps| self.table.borrow().look_ahead(key, steps);
                system.wait(timeout, look_ahead, on_event)
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Selector::System(system) => system.wait(timeout, on_event),
            Selector::Poll(poll) => self.wait_by_poll(poll, timeout, on_event).map(|()| false),
        }
    }

    /// `poll(2)` has to be told what is waited for.
    #[cold]
    #[inline(never)]
    fn wait_by_poll(
        &self,
        poll: &poll::Selector,
        timeout: Option<Duration>,
        on_event: impl FnMut(Key, Readiness),
    ) -> io::Result<()> {
        let table = self.table.borrow();
        let outside = self.outside.wanted();
        let from_outside =
            |fd| outside.binary_search_by_key(&fd, |(fd, ..)| *fd).map_or(0, |at| outside[at].2);
        let known = table.iter().map(|(key, source)| (source.raw_fd(), key, source));
        let known = known.map(|(fd, key, source)| (fd, key, source.wanted() | from_outside(fd)));
        let wanted = known.chain(outside.iter().copied().filter(|(fd, ..)| !table.has(*fd)));
        poll.wait(timeout, wanted.filter(|(_, _, events)| *events != 0), on_event)
    }
}
