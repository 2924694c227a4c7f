//! Wherever `polling` works: kqueue on macOS and the BSDs.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode};

use super::{Key, Readiness};

/// `polling` keeps a list of what kqueue watches, so closing a descriptor is not enough.
pub(super) const FORGETS_CLOSED: bool = false;
/// `polling` does not pass EV_EOF on.
pub(super) const TELLS_END: bool = false;

pub(super) struct Selector {
    poller: Arc<polling::Poller>,
    events: RefCell<Events>,
}

/// Wakes the selector from another thread.
pub(crate) struct Waker(Arc<polling::Poller>);

impl Selector {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { poller: Arc::new(polling::Poller::new()?), events: RefCell::new(Events::new()) })
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.poller.clone())
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        self.watch(fd.as_raw_fd(), Event::all(key.to_bits() as usize), PollMode::Edge)
    }

    /// Watches a descriptor that may be anything, for one event.
    pub(super) fn arm(&self, fd: RawFd, events: libc::c_short, key: Key) -> io::Result<()> {
        let key = key.to_bits() as usize;
        let interest = Event::new(key, events & libc::POLLIN != 0, events & libc::POLLOUT != 0);
        self.watch(fd, interest, PollMode::Oneshot)
    }

    /// What was asked of the descriptor before, or of another one that had its number, goes.
    fn watch(&self, fd: RawFd, interest: Event, mode: PollMode) -> io::Result<()> {
        // SAFETY: the number is looked at and not kept. What waits for a descriptor keeps it open, and one
        // that was armed and is closed is forgotten by the kernel, if not by the poller's list.
        let (fd, added) =
            unsafe { (BorrowedFd::borrow_raw(fd), self.poller.add_with_mode(fd, interest, mode)) };
        match added {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.poller.modify_with_mode(fd, interest, mode)
            }
            result => result,
        }
    }

    pub(super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        mut on_event: impl FnMut(Key, Readiness),
    ) -> io::Result<bool> {
        let mut events = self.events.borrow_mut();
        events.clear();
        self.poller.wait(&mut events, timeout)?;
        for event in events.iter() {
            let readiness =
                Readiness { readable: event.readable, writable: event.writable, irregular: false };
            on_event(Key::from_bits(event.key as u64), readiness);
        }
        Ok(events.len() == events.capacity().get())
    }
}

impl Waker {
    pub(super) fn wake(&self) {
        // The poller lives; what could fail is a pipe that is full, which wakes as well.
        let _ = self.0.notify();
    }
}
