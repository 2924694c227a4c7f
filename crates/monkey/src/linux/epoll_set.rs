//! Many descriptors as one: an epoll instance is itself a descriptor that can be waited for.

use std::ffi::c_int;

use libc::pollfd;

use super::raw::{call, call3, error};

/// Watches descriptors until it is dropped.
pub(super) struct EpollSet {
    fd: c_int,
}

impl EpollSet {
    /// Watches the descriptors, none of which is ready.
    ///
    /// # Errors
    ///
    /// The kernel's. That one of them cannot be watched, such as an instance deep in others, is one of them.
    pub(super) fn new(fds: &[pollfd]) -> Result<Self, isize> {
        // SAFETY: takes no memory.
        let fd = unsafe { call3(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC as usize, 0, 0) };
        if fd < 0 {
            return Err(fd);
        }
        let set = Self { fd: fd as c_int };
        for fd in fds.iter().filter(|fd| fd.fd >= 0) {
            match set.control(libc::EPOLL_CTL_ADD, fd.fd, fd.events) {
                // One that is named twice is watched for everything.
                result if result == error(libc::EEXIST) => {
                    set.control(libc::EPOLL_CTL_MOD, fd.fd, libc::POLLIN | libc::POLLPRI | libc::POLLOUT);
                }
                result if result < 0 => return Err(result),
                _ => {}
            }
        }
        Ok(set)
    }

    fn control(&self, operation: c_int, fd: c_int, events: i16) -> isize {
        let event = libc::epoll_event { events: events as u16 as u32, u64: 0 };
        let args = [self.fd as usize, operation as usize, fd as usize, &raw const event as usize, 0, 0];
        // SAFETY: the event is read only.
        unsafe { call(libc::SYS_epoll_ctl, args) }
    }

    pub(super) fn fd(&self) -> c_int {
        self.fd
    }
}

impl Drop for EpollSet {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { call3(libc::SYS_close, self.fd as usize, 0, 0) };
    }
}
