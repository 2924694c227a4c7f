//! A lock that its holder may take again.

use std::cell::Cell;
use std::thread::panicking;
use std::time::Duration;

use super::Semaphore;
use crate::greenlet::Greenlet;

/// A lock that the greenlet which holds it may take again (gevent's `RLock`).
///
/// It is free again when its holder has dropped every guard. Then it goes to the one who has waited
/// longest.
///
/// ```
/// let lock = greenlet::sync::RLock::new();
/// let outer = lock.acquire();
/// let inner = lock.acquire(); // does not wait for itself
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// ```
#[derive(Debug)]
pub struct RLock {
    /// Has one permit.
    lock: Semaphore,
    /// The greenlet that has taken it, while the depth is not zero.
    holder: Cell<u64>,
    depth: Cell<usize>,
}

/// One of its holder's claims on an [`RLock`]. Dropping it gives the claim up.
///
/// # Panics
///
/// When it is dropped by another greenlet than the one which acquired it.
#[derive(Debug)]
#[must_use = "a lock whose guard is not held is unlocked at once"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
}

impl RLock {
    /// A lock that nobody holds.
    pub const fn new() -> Self {
        Self { lock: Semaphore::new(1), holder: Cell::new(0), depth: Cell::new(0) }
    }

    /// Waits until no other greenlet holds the lock.
    #[track_caller]
    pub fn acquire(&self) -> RLockGuard<'_> {
        if !self.is_held() {
            self.lock.acquire_by_hand(None, "a lock");
        }
        self.claim()
    }

    /// As [`acquire`](Self::acquire), for at most `timeout`.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<RLockGuard<'_>> {
        let held = self.is_held() || self.lock.acquire_by_hand(Some(timeout), "a lock");
        held.then(|| self.claim())
    }

    /// Takes the lock, if no other greenlet holds it or waits for it.
    pub fn try_acquire(&self) -> Option<RLockGuard<'_>> {
        let held = self.is_held() || self.lock.take();
        held.then(|| self.claim())
    }

    /// Whether any greenlet holds the lock, or has been woken to hold it.
    pub fn is_locked(&self) -> bool {
        self.lock.available() == 0
    }

    /// Whether the current greenlet holds the lock.
    pub fn is_held(&self) -> bool {
        self.depth.get() > 0 && self.holder.get() == current()
    }

    fn claim(&self) -> RLockGuard<'_> {
        self.holder.set(current());
        self.depth.set(self.depth.get() + 1);
        RLockGuard { lock: self }
    }
}

impl Default for RLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        let lock = self.lock;
        assert!(lock.is_held() || panicking(), "an RLock is given up by the greenlet that acquired it");
        lock.depth.set(lock.depth.get() - 1);
        if lock.depth.get() == 0 {
            lock.lock.give(1);
        }
    }
}

/// The number of the current greenlet.
fn current() -> u64 {
    Greenlet::<()>::current().id()
}
