//! A descriptor to wait for among others.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What to wait for on a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That a read would not block: there is data, the end of it, or an error to fetch.
    Read,
    /// That a write would not block.
    Write,
    /// Either of them.
    ReadWrite,
}

/// A descriptor to wait for among others, and what was found of it; see [`poll`](crate::os::poll).
#[repr(transparent)]
pub struct PollFd<'fd> {
    raw: libc::pollfd,
    fd: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> PollFd<'fd> {
    /// Waits for the descriptor to be ready for `interest`.
    pub fn new(fd: &'fd impl AsFd, interest: Interest) -> Self {
        let events = match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
            Interest::ReadWrite => libc::POLLIN | libc::POLLOUT,
        };
        let raw = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
        Self { raw, fd: PhantomData }
    }

    fn found(&self, events: libc::c_short) -> bool {
        self.raw.revents & events != 0
    }

    /// Whether anything was found.
    pub fn is_ready(&self) -> bool {
        self.raw.revents != 0
    }

    /// Whether it was waited for to read, and a read would not block.
    pub fn is_readable(&self) -> bool {
        self.wants(libc::POLLIN) && self.found(libc::POLLIN | libc::POLLHUP | libc::POLLERR)
    }

    /// Whether it was waited for to write, and a write would not block.
    pub fn is_writable(&self) -> bool {
        self.wants(libc::POLLOUT) && self.found(libc::POLLOUT | libc::POLLHUP | libc::POLLERR)
    }

    /// Whether the other side has hung up. That is found without being asked for.
    pub fn is_hung_up(&self) -> bool {
        self.found(libc::POLLHUP)
    }

    /// Whether there is an error to fetch. That is found without being asked for.
    pub fn is_error(&self) -> bool {
        self.found(libc::POLLERR)
    }

    fn wants(&self, events: libc::c_short) -> bool {
        self.raw.events & events != 0
    }

    /// The same as the system has it. Each descriptor is open for as long as they live.
    pub(super) fn as_raw<'a>(fds: &'a mut [PollFd<'_>]) -> &'a mut [libc::pollfd] {
        // SAFETY: each is a transparent wrapper of one.
        unsafe { std::slice::from_raw_parts_mut(fds.as_mut_ptr().cast(), fds.len()) }
    }
}

impl fmt::Debug for PollFd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.raw.fd)
            .field("readable", &self.is_readable())
            .field("writable", &self.is_writable())
            .finish()
    }
}
