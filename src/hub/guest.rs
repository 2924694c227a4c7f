//! A hub as a guest in somebody else's loop, which waits in its place.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::{Hub, greenlet_thread};
use crate::greenlet::thread::current_is_root;

/// This thread's hub, run by the loop of a program that has one already: a user interface's, another
/// runtime's, one of C (what Trio calls guest mode; gevent and eventlet must own the loop).
///
/// The loop calls [`turn`](Self::turn), which never blocks, and again when the time is over that this
/// returns, or when the [descriptor](AsFd) becomes readable, whichever comes first. Everything of this
/// crate works meanwhile as it does elsewhere: I/O, timers, wakes from other threads.
///
/// The hub itself notices what happens outside of the process and on other threads. What the loop's own
/// code does on this thread between two turns (spawn a task, set an event) it does not: the loop calls
/// `turn` after that.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use std::time::Duration;
/// use greenlet::{hub::Guest, sleep, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// let task = spawn(|| sleep(Duration::from_millis(5)));
/// let guest = Guest::new()?;
/// loop {
///     let wait = guest.turn();
///     if task.is_finished() {
///         break;
///     }
///     // A loop has other descriptors as well. It must not wait for less than it was told, or it spins.
///     let round_up = |wait: Duration| wait.as_micros().div_ceil(1000).try_into().unwrap_or(i32::MAX);
///     let milliseconds = wait.map_or(-1, round_up);
///     let mut fd = libc::pollfd { fd: guest.as_raw_fd(), events: libc::POLLIN, revents: 0 };
///     // SAFETY: one descriptor, which is open.
///     unsafe { libc::poll(&mut fd, 1, milliseconds) };
/// }
/// # Ok(())
/// # }
/// ```
pub struct Guest {
    /// Of what the hub polls; another number for the same, so that nobody depends on the hub's.
    descriptor: OwnedFd,
    /// The hub is its thread's.
    stays: PhantomData<*mut ()>,
}

impl Guest {
    /// This thread's hub as a guest.
    ///
    /// # Errors
    ///
    /// If the hub waits by `poll(2)`, see [`Backend`](super::Backend), which has no descriptor to wait
    /// for; or if there is no descriptor to be had.
    pub fn new() -> io::Result<Self> {
        let descriptor = super::here().poller.descriptor()?.try_clone_to_owned()?;
        Ok(Self { descriptor, stays: PhantomData })
    }

    /// Looks at timers, I/O and what other threads have sent, and lets everybody run who is ready, once.
    /// Waits for nothing.
    ///
    /// Returns how long the loop may wait for the descriptor: no time at all if somebody is ready again,
    /// and `None` where only the descriptor will tell.
    ///
    /// # Panics
    ///
    /// If it is not the root greenlet that calls, or in a callback of the hub. After
    /// [`after_fork`](super::after_fork), which needs a new guest.
    #[track_caller]
    pub fn turn(&self) -> Option<Duration> {
        assert!(current_is_root(), "only the root greenlet can be in somebody else's loop");
        let hub = super::here();
        hub.may_wait(hub.current());
        hub.look_around();
        hub.yield_now();
        hub.time_to_sleep()
    }
}

impl Hub {
    /// As between two rounds, but polls whatever the time is, and until there is no event left: a loop
    /// that is told of changes only is not told of those that were there already.
    fn look_around(&self) {
        self.remote.end_sleep();
        self.turning.set(true);
        greenlet_thread::notice_global_hook();
        self.remote.drain(self);
        let now = Instant::now();
        self.fire_timers(now);
        while self.poll(now, Some(Duration::ZERO)) {}
        if self.ready.is_empty() {
            self.idlers.wake_one();
        }
        self.turning.set(false);
    }

    /// For how long nobody will be ready, unless the poller has an event. From here on other threads make
    /// one.
    fn time_to_sleep(&self) -> Option<Duration> {
        let somebody_is_ready = !self.ready.is_empty() || !self.idlers.is_empty();
        if somebody_is_ready || !self.remote.begin_sleep() {
            return Some(Duration::ZERO);
        }
        let (now, deadline) = (Instant::now(), self.timers.borrow().next_deadline());
        self.look_after_memory(now, deadline.map(|deadline| deadline.saturating_duration_since(now)))
    }
}

impl AsFd for Guest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Guest {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}
