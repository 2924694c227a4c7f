//! `poll(2)`: works for whatever the system can wait for at all.
//!
//! Nothing is registered. Each wait names the descriptors that somebody waits for just then, in
//! the directions in which they do, so its cost grows with their number.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::{Key, Readiness};

pub(super) struct Selector {
    /// Other threads write to one end, which makes the other readable.
    wake: Arc<UnixStream>,
    woken: UnixStream,
    /// What the last wait was for: the end that is woken, then those of `keys`.
    fds: RefCell<Vec<libc::pollfd>>,
    keys: RefCell<Vec<Key>>,
}

/// Wakes the selector from another thread.
pub(crate) struct Waker(Arc<UnixStream>);

impl Selector {
    pub(super) fn new() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self { wake: Arc::new(wake), woken, fds: RefCell::default(), keys: RefCell::default() })
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Waits for what is wanted: a descriptor, its key, and the events in the terms of `poll(2)`.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        wanted: impl Iterator<Item = (RawFd, Key, libc::c_short)>,
        mut on_event: impl FnMut(Key, Readiness),
    ) -> io::Result<()> {
        let (mut fds, mut keys) = (self.fds.borrow_mut(), self.keys.borrow_mut());
        fds.clear();
        keys.clear();
        fds.push(libc::pollfd { fd: self.woken.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        for (fd, key, events) in wanted {
            fds.push(libc::pollfd { fd, events, revents: 0 });
            keys.push(key);
        }
        match poll(&mut fds, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        };
        if fds[0].revents != 0 {
            self.empty();
        }
        for (fd, &key) in fds[1..].iter().zip(&*keys).filter(|(fd, _)| fd.revents != 0) {
            on_event(key, readiness(fd.revents));
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_at_rest(&self) -> bool {
        self.fds.try_borrow_mut().is_ok()
    }

    /// Takes the wakes out, so that the next one is noticed.
    fn empty(&self) {
        let mut wakes = [0; 64];
        while (&self.woken).read(&mut wakes).is_ok_and(|count| count == wakes.len()) {}
    }
}

impl Waker {
    pub(super) fn wake(&self) {
        // A buffer that is full has woken the hub already: the result does not matter.
        let _ = (&*self.0).write(&[0]);
    }
}

fn readiness(events: libc::c_short) -> Readiness {
    let has = |flags| events & flags != 0;
    let failed = has(libc::POLLERR | libc::POLLHUP | libc::POLLNVAL);
    Readiness {
        readable: failed || has(libc::POLLIN),
        writable: failed || has(libc::POLLOUT),
        // The next wait would tell again.
        irregular: false,
    }
}

/// `poll(2)` with a timeout that is as fine as the system has it, and never cut short.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: timeout.subsec_nanos() as libc::c_long,
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array is as long as it says; no signal mask is given.
    let count =
        unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, std::ptr::null()) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// `poll(2)` with a timeout that is as fine as the system has it, and never cut short.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(super) fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let milliseconds = milliseconds(timeout);
    // SAFETY: the array is as long as it says.
    let count = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, milliseconds) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// A timeout for calls that count in milliseconds: never cut short.
#[cfg(not(target_os = "freebsd"))]
pub(super) fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |timeout| {
        let rounded_up = timeout.as_nanos().div_ceil(1_000_000);
        libc::c_int::try_from(rounded_up).unwrap_or(libc::c_int::MAX)
    })
}
