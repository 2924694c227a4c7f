//! A flag that greenlets and threads wait for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::waiters::{Waiters, Wake, wait};
use crate::hub;
use crate::lock::lock;
use crate::time::deadline;

/// A flag that greenlets of all hubs and threads without one wait for (gevent's `Event`, safe between
/// threads).
///
/// Setting it wakes all who wait, even if it is cleared again before they run.
///
/// ```
/// use greenlet::threads::Event;
///
/// static READY: Event = Event::new();
///
/// let waiter = greenlet::spawn(|| READY.wait());
/// let setter = std::thread::spawn(|| READY.set());
/// waiter.join().unwrap();
/// setter.join().unwrap();
/// ```
#[derive(Default)]
pub struct Event {
    set: AtomicBool,
    waiting: Mutex<Waiters>,
}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Self {
        Self { set: AtomicBool::new(false), waiting: Mutex::new(Waiters::new()) }
    }

    /// Sets the flag and wakes everybody who waits.
    pub fn set(&self) {
        self.set.store(true, Ordering::Release);
        // Whoever is about to wait looks at the flag once more with the lock held.
        let woken = lock(&self.waiting).all();
        woken.for_each(|waker| waker.wake());
    }

    /// Clears the flag: from now on [`wait`](Self::wait) waits.
    pub fn clear(&self) {
        self.set.store(false, Ordering::Release);
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Waits until the flag is set.
    #[track_caller]
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Waits until the flag is set, for at most `timeout`. Whether it was.
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(deadline(Some(timeout)))
    }

    #[track_caller]
    fn wait_until(&self, until: Option<Instant>) -> bool {
        if self.is_set() {
            hub::spend_budget();
            return true;
        }
        let not_set = |_: &Waiters| !self.is_set();
        wait(&self.waiting, |waiting| waiting, until, "an event of several threads", not_set)
            != Wake::TimedOut
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish_non_exhaustive()
    }
}
