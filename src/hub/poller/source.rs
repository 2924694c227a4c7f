//! A file descriptor that greenlets wait for.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::thread::panicking;
use std::time::Duration;

use super::{Key, Readiness, sys};
use crate::hub::{self, Fiber, Hub, WaitQueue};
use crate::time::deadline;

/// What a greenlet wants to do with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A descriptor in non-blocking mode, with those who wait for it. Shared by `Rc`, so it does not
/// move. Several greenlets may wait, in either direction.
pub(crate) struct Source {
    fd: ManuallyDrop<OwnedFd>,
    key: Cell<Option<Key>>,
    read: Side,
    write: Side,
    /// The peer sends no more, or there is an error: nothing will have to be waited for.
    ended: Cell<bool>,
}

/// One direction of a source.
struct Side {
    /// Whether an operation is worth trying.
    ready: Cell<bool>,
    timeout: Cell<Option<Duration>>,
    waiting: WaitQueue,
}

impl Source {
    /// The descriptor must be in non-blocking mode.
    pub(crate) fn new(fd: OwnedFd) -> Rc<Self> {
        let side = || Side { ready: Cell::new(true), timeout: Cell::new(None), waiting: WaitQueue::new() };
        Rc::new(Self {
            fd: ManuallyDrop::new(fd),
            key: Cell::new(None),
            read: side(),
            write: side(),
            ended: Cell::new(false),
        })
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    pub(crate) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.side(direction).timeout.get()
    }

    /// How long an operation may wait from now on.
    ///
    /// # Errors
    ///
    /// As std: a timeout of zero is invalid.
    pub(crate) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout cannot be zero"));
        }
        self.side(direction).timeout.set(timeout);
        Ok(())
    }

    /// Does `operation` as soon as it would not block, within the direction's timeout.
    #[track_caller]
    #[inline]
    pub(crate) fn perform<R>(
        &self,
        direction: Direction,
        why: &'static str,
        operation: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        self.perform_within(direction, self.timeout(direction), why, operation)
    }

    /// As [`perform`](Self::perform), with a timeout of its own.
    #[track_caller]
    #[inline]
    pub(crate) fn perform_within<R>(
        &self,
        direction: Direction,
        timeout: Option<Duration>,
        why: &'static str,
        mut operation: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        let side = self.side(direction);
        let hub = hub::here();
        let mut until = None;
        loop {
            if side.ready.get() {
                match operation(self.fd.as_raw_fd()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => side.ready.set(false),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => {
                        hub.spend_budget();
                        return result;
                    }
                }
            }
            let until = *until.get_or_insert_with(|| deadline(timeout));
            self.wait(hub, direction, until, why)?;
        }
    }

    /// Waits until an operation is worth trying.
    #[track_caller]
    pub(crate) fn wait(
        &self,
        hub: &Hub,
        direction: Direction,
        until: Option<std::time::Instant>,
        why: &'static str,
    ) -> io::Result<()> {
        if panicking() {
            return Err(io::Error::other("a greenlet cannot wait while it unwinds"));
        }
        self.register(hub)?;
        let side = self.side(direction);
        if side.ready.get() {
            return Ok(());
        }
        let poller = &hub.poller;
        poller.waiters.set(poller.waiters.get() + 1);
        let _counted = Counted(&poller.waiters);
        if hub.wait(&side.waiting, until, why) || side.ready.get() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::TimedOut, "timed out"))
        }
    }

    /// Has the poller watch the descriptor, if it does not yet.
    fn register(&self, hub: &Hub) -> io::Result<()> {
        if self.key.get().is_some() {
            return Ok(());
        }
        // SAFETY: shared by `Rc`, so it does not move; `drop` and `into_fd` forget it.
        match unsafe { hub.poller.register(self, self.fd.as_fd()) } {
            Ok(key) => self.key.set(Some(key)),
            // An ordinary file: always ready.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.read.ready.set(true);
                self.write.ready.set(true);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes that a read or write did less than it was asked to, so that the next one would block.
    /// Saves the call that would find that out.
    #[inline]
    pub(crate) fn note_drained(&self, direction: Direction) {
        // Before it is registered, no event would tell that it is ready again.
        if sys::TELLS_END && self.key.get().is_some() && !self.ended.get() {
            self.side(direction).ready.set(false);
        }
    }

    /// Notes that an operation is under way in the background, so that trying is no use yet.
    pub(crate) fn note_blocked(&self, direction: Direction) {
        self.side(direction).ready.set(false);
    }

    /// Takes in an event.
    pub(crate) fn note(&self, readiness: Readiness, make_ready: &mut impl FnMut(&Fiber)) {
        if readiness.ended {
            self.ended.set(true);
        }
        for (ready, side) in [(readiness.readable, &self.read), (readiness.writable, &self.write)] {
            if ready {
                side.ready.set(true);
                side.waiting.drain(&mut *make_ready);
            }
        }
    }

    /// Gives the descriptor away, out of the hub's care and still in non-blocking mode.
    pub(crate) fn into_fd(mut self) -> OwnedFd {
        self.forget(false);
        // SAFETY: `self` is forgotten, so this is the only time that it is taken.
        let fd = unsafe { ManuallyDrop::take(&mut self.fd) };
        std::mem::forget(self);
        fd
    }

    fn forget(&self, closing: bool) {
        if let Some(key) = self.key.take() {
            hub::with_existing(|hub| hub.poller.forget(key, self.fd.as_fd(), closing));
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.forget(true);
        // SAFETY: nothing uses it afterwards.
        unsafe { ManuallyDrop::drop(&mut self.fd) };
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// One less when dropped.
struct Counted<'a>(&'a Cell<usize>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
