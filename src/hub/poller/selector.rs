//! The backend of a poller: the system's best, or `poll(2)`.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use super::{Backend, Key, poll};

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::epoll as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::portable as system;

pub(super) enum Selector {
    System(system::Selector),
    Poll(poll::Selector),
}

/// Wakes a selector from another thread.
pub(crate) enum Waker {
    System(system::Waker),
    Poll(poll::Waker),
}

impl Selector {
    pub(super) fn new(backend: Backend) -> io::Result<Self> {
        match backend {
            Backend::System => system::Selector::new().map(Self::System),
            Backend::Poll => poll::Selector::new().map(Self::Poll),
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::System(_) => Backend::System,
            Self::Poll(_) => Backend::Poll,
        }
    }

    pub(super) fn waker(&self) -> Waker {
        match self {
            Self::System(system) => Waker::System(system.waker()),
            Self::Poll(poll) => Waker::Poll(poll.waker()),
        }
    }

    /// What becomes readable when there is an event. `poll` has only what it is told at each wait.
    pub(super) fn descriptor(&self) -> io::Result<BorrowedFd<'_>> {
        match self {
            Self::System(system) => Ok(system.descriptor()),
            Self::Poll(_) => {
                let message = "a hub that waits by poll(2) has no descriptor that others could wait for";
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
        }
    }

    /// Whether a description that is closed for good needs no [`delete`](Self::delete).
    pub(super) fn forgets_closed(&self) -> bool {
        match self {
            Self::System(_) => system::FORGETS_CLOSED,
            Self::Poll(_) => true,
        }
    }

    /// Whether an event says that the stream has ended, or the next wait will.
    pub(super) fn tells_end(&self) -> bool {
        match self {
            Self::System(_) => system::TELLS_END,
            Self::Poll(_) => true,
        }
    }

    /// Watches an open descriptor. `poll` has nothing to do for that: it names what it waits for in each wait.
    pub(super) fn add(&self, fd: RawFd, key: Key) -> io::Result<()> {
        match self {
            // SAFETY: sources keep their descriptors open.
            Self::System(system) => system.add(unsafe { BorrowedFd::borrow_raw(fd) }, key),
            Self::Poll(_) => Ok(()),
        }
    }

    /// Watches a descriptor until its next event. No more is asked of it than to be a number.
    pub(super) fn arm(&self, fd: RawFd, events: libc::c_short, key: Key) -> io::Result<()> {
        match self {
            Self::System(system) => system.arm(fd, events, key),
            Self::Poll(_) => Ok(()),
        }
    }

    /// Whether nobody waits in it just now.
    #[cfg(target_os = "linux")]
    pub(super) fn is_at_rest(&self) -> bool {
        match self {
            Self::System(system) => system.is_at_rest(),
            Self::Poll(poll) => poll.is_at_rest(),
        }
    }

    pub(super) fn delete(&self, fd: RawFd) -> io::Result<()> {
        match self {
            // SAFETY: as above.
            Self::System(system) => system.delete(unsafe { BorrowedFd::borrow_raw(fd) }),
            Self::Poll(_) => Ok(()),
        }
    }
}

impl Waker {
    pub(crate) fn wake(&self) {
        match self {
            Self::System(system) => system.wake(),
            Self::Poll(poll) => poll.wake(),
        }
    }
}
