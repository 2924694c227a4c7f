//! Linux: `polling` owns the epoll instance; registration and waiting are direct.
//!
//! `polling` takes five system calls a wait (a timer descriptor and an event descriptor are armed
//! and disarmed), this takes one. It also has no way to ask for EPOLLRDHUP, and without that an
//! end of stream that arrives together with data would be missed once the data is read: in edge
//! mode there is no second event.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::poll::milliseconds;
use super::{Key, Readiness};

/// The kernel drops the registration of a description that is closed.
pub(super) const FORGETS_CLOSED: bool = true;
/// An event says whether the end of the stream has come.
pub(super) const TELLS_END: bool = true;

/// With 256, a thousand busy connections were measured to take a twentieth more time. Probably what the kernel has looked
/// at for an event is not in the caches any more then, when its greenlet has its turn.
const EVENTS_PER_WAIT: usize = 64;
/// So many events ahead the processor is told what it will need.
const LOOK_AHEAD: usize = 2;
/// The key of the event descriptor that wakes the hub.
const WAKE: u64 = u64::MAX - 1;

pub(super) struct Selector {
    poller: polling::Poller,
    wake: Arc<OwnedFd>,
    events: RefCell<Box<[libc::epoll_event; EVENTS_PER_WAIT]>>,
}

/// Wakes the selector from another thread.
pub(crate) struct Waker(Arc<OwnedFd>);

impl Selector {
    pub(super) fn new() -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        // SAFETY: makes a descriptor of our own.
        let wake = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: just made.
        let wake = Arc::new(unsafe { OwnedFd::from_raw_fd(wake) });
        let empty = libc::epoll_event { events: 0, u64: 0 };
        let selector = Self { poller, wake, events: RefCell::new(Box::new([empty; EVENTS_PER_WAIT])) };
        // Edge mode: every write is an event of its own, and nobody ever has to read it.
        let wake = selector.wake.as_raw_fd();
        selector.control(libc::EPOLL_CTL_ADD, wake, libc::EPOLLIN | libc::EPOLLET, WAKE)?;
        Ok(selector)
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }

    pub(super) fn add(&self, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        const INTEREST: i32 =
            libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        match self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), INTEREST, key.to_bits()) {
            // Somebody waited for it from outside.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.control(libc::EPOLL_CTL_MOD, fd.as_raw_fd(), INTEREST, key.to_bits())
            }
            result => result,
        }
    }

    /// Watches a descriptor that may be anything, for one event. What is known of it from the last time
    /// goes with its description.
    pub(super) fn arm(&self, fd: RawFd, events: libc::c_short, key: Key) -> io::Result<()> {
        // What a `poll` asks for beyond its own events is nothing; here it would be other things.
        let interest = i32::from(events.cast_unsigned()) | libc::EPOLLONESHOT;
        match self.control(libc::EPOLL_CTL_MOD, fd, interest, key.to_bits()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.control(libc::EPOLL_CTL_ADD, fd, interest, key.to_bits())
            }
            result => result,
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_at_rest(&self) -> bool {
        self.events.try_borrow_mut().is_ok()
    }

    fn control(&self, operation: i32, fd: RawFd, interest: i32, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest as u32, u64: data };
        // SAFETY: the event is read only, and a number that is no descriptor an error.
        check(unsafe { libc::epoll_ctl(self.poller.as_raw_fd(), operation, fd, &mut event) })?;
        Ok(())
    }

    pub(super) fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // SAFETY: both descriptors are open, and this operation takes no event.
        check(unsafe {
            libc::epoll_ctl(self.poller.as_raw_fd(), libc::EPOLL_CTL_DEL, fd.as_raw_fd(), ptr::null_mut())
        })?;
        Ok(())
    }

    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        look_ahead: impl Fn(Key, usize),
        mut on_event: impl FnMut(Key, Readiness),
    ) -> io::Result<bool> {
        let mut events = self.events.borrow_mut();
        let count = match epoll_wait(self.poller.as_raw_fd(), &mut events[..], timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            result => result?,
        };
        let events = &events[..count];
        // The poller's own descriptors are never armed, so all that comes is ours.
        for (place, event) in events.iter().enumerate() {
            for step in 1..=LOOK_AHEAD {
                if let Some(later) = events.get(place + step) {
                    look_ahead(Key::from_bits(later.u64), step);
                }
            }
            if event.u64 != WAKE {
                on_event(Key::from_bits(event.u64), readiness(event.events));
            }
        }
        Ok(count == EVENTS_PER_WAIT)
    }
}

impl Waker {
    pub(super) fn wake(&self) {
        let one = 1_u64;
        // A counter that is full has woken the hub already: the result does not matter.
        // SAFETY: writes eight bytes of our own.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
    }
}

fn readiness(events: u32) -> Readiness {
    let has = |flags: i32| events & flags as u32 != 0;
    let failed = has(libc::EPOLLERR | libc::EPOLLHUP);
    Readiness {
        readable: failed || has(libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP),
        writable: failed || has(libc::EPOLLOUT),
        // A read stops short of what is urgent, and leaves what follows it.
        irregular: failed || has(libc::EPOLLRDHUP | libc::EPOLLPRI),
    }
}

/// One system call a wait. Zero and infinite timeouts go to `epoll_wait`; others need the
/// nanoseconds of `epoll_pwait2` (Linux 5.11), or are rounded up to milliseconds without it. A sandbox that is
/// older than the call may say that it is not permitted.
fn epoll_wait(epoll: i32, events: &mut [libc::epoll_event], timeout: Option<Duration>) -> io::Result<usize> {
    static NO_PWAIT2: AtomicBool = AtomicBool::new(false);
    let capacity = events.len() as i32;
    if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero() && !NO_PWAIT2.load(Ordering::Relaxed))
    {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // SAFETY: the buffer has room for `capacity` events; no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                epoll,
                events.as_mut_ptr(),
                capacity,
                &timeout,
                ptr::null::<()>(),
                0,
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
            return Err(error);
        }
        NO_PWAIT2.store(true, Ordering::Relaxed);
    }
    let milliseconds = milliseconds(timeout);
    // SAFETY: the buffer has room for `capacity` events.
    let count = check(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), capacity, milliseconds) })?;
    Ok(count as usize)
}

/// The error of a call that says -1.
fn check(result: i32) -> io::Result<i32> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
