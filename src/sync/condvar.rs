//! Waiting for a change to what a mutex holds.

use std::time::{Duration, Instant};

use super::{Mutex, MutexGuard};
use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// Where greenlets wait for a change to a value in a [`Mutex`] ([`std::sync::Condvar`] for greenlets).
///
/// Those who wait are notified in the order in which they came, and get the lock in that order. One
/// that is killed or timed out after it was notified, before it has the lock, leaves its notification
/// to the next one; so a wait may end without a change, as std's may: look at the value.
///
/// ```
/// use std::rc::Rc;
/// use greenlet::sync::{Condvar, Mutex};
///
/// let shared = Rc::new((Mutex::new(false), Condvar::new()));
/// let waiter = greenlet::spawn({
///     let shared = shared.clone();
///     move || {
///         let (ready, changed) = &*shared;
///         *changed.wait_while(ready.lock(), |ready| !*ready)
///     }
/// });
/// greenlet::yield_now();
/// *shared.0.lock() = true;
/// shared.1.notify_one();
/// assert!(waiter.join().unwrap());
/// ```
#[derive(Debug, Default)]
pub struct Condvar {
    waiting: WaitQueue,
}

/// Whether a wait ended because its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult {
    timed_out: bool,
}

impl WaitTimeoutResult {
    /// Whether the time was over before the greenlet was notified.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    pub const fn new() -> Self {
        Self { waiting: WaitQueue::new() }
    }

    /// Unlocks, waits to be notified, and locks again.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(guard, None).0
    }

    /// Waits as long as `condition` holds.
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// As [`wait`](Self::wait), to be notified within `timeout`. The lock is waited for as long as it
    /// takes.
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let (guard, notified) = self.wait_until(guard, deadline(Some(timeout)));
        (guard, WaitTimeoutResult { timed_out: !notified })
    }

    /// As [`wait_while`](Self::wait_while), for at most `timeout`. It has timed out if the condition
    /// still holds.
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let until = deadline(Some(timeout));
        let mut in_time = true;
        loop {
            let timed_out = condition(&mut guard);
            if !timed_out || !in_time {
                return (guard, WaitTimeoutResult { timed_out });
            }
            (guard, in_time) = self.wait_until(guard, until);
        }
    }

    /// The lock, and whether this was notified.
    #[track_caller]
    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, T>, bool) {
        let mutex: &'a Mutex<T> = guard.mutex();
        // Nobody runs between this and the wait.
        drop(guard);
        let pass_on = || self.notify_one();
        let notified = hub::here().wait_for_hand_over(&self.waiting, until, "a condition", &pass_on);
        let notification = notified.then(|| Notification { of: self });
        let guard = mutex.lock();
        std::mem::forget(notification);
        (guard, notified)
    }

    /// Notifies the one who has waited longest, if anybody waits.
    pub fn notify_one(&self) {
        self.waiting.wake_one();
    }

    /// Notifies everybody who waits now.
    pub fn notify_all(&self) {
        self.waiting.wake_all();
    }
}

/// Dropped by a greenlet that is unwound before it has the lock: its notification is somebody else's.
struct Notification<'a> {
    of: &'a Condvar,
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        self.of.notify_one();
    }
}
