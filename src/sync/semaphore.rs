//! A counter of permits.

use std::cell::Cell;
use std::thread::panicking;
use std::time::Duration;

use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// A number of permits that greenlets take and give back (gevent's and eventlet's `Semaphore`).
///
/// A permit that is given back while somebody waits goes to the one who has waited longest, and to
/// nobody else: not to one who [tries](Self::try_acquire), and not to the one who gave it back.
///
/// ```
/// let slots = greenlet::sync::Semaphore::new(1);
/// let held = slots.acquire();
/// assert!(slots.try_acquire().is_none());
/// drop(held);
/// assert!(slots.try_acquire().is_some());
/// ```
#[derive(Debug)]
pub struct Semaphore {
    permits: Cell<usize>,
    /// There are never more than this.
    bound: usize,
    waiting: WaitQueue,
}

/// A permit. Dropping it gives it back.
#[derive(Debug)]
#[must_use = "a permit that is not held is given back at once"]
pub struct SemaphoreGuard<'a> {
    semaphore: &'a Semaphore,
}

impl Semaphore {
    /// A semaphore with this many permits.
    pub const fn new(permits: usize) -> Self {
        Self::with_bound(permits, usize::MAX)
    }

    pub(super) const fn with_bound(permits: usize, bound: usize) -> Self {
        Self { permits: Cell::new(permits), bound, waiting: WaitQueue::new() }
    }

    /// Waits for a permit.
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> SemaphoreGuard<'_> {
        self.acquire_by_hand(None, "a semaphore");
        SemaphoreGuard { semaphore: self }
    }

    /// Waits for a permit, for at most `timeout`.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<SemaphoreGuard<'_>> {
        // Not `then_some`: a guard that is made is a permit to give back.
        self.acquire_by_hand(Some(timeout), "a semaphore").then(|| SemaphoreGuard { semaphore: self })
    }

    /// Takes a permit if there is one that nobody waits for.
    #[inline]
    pub fn try_acquire(&self) -> Option<SemaphoreGuard<'_>> {
        self.take().then(|| SemaphoreGuard { semaphore: self })
    }

    /// Waits until it has its turn, without keeping the permit (gevent's `wait`). Returns how many
    /// permits are free then, which may be none: the next one may have taken it.
    #[track_caller]
    pub fn wait(&self) -> usize {
        drop(self.acquire());
        self.available()
    }

    /// Takes a permit that somebody gives back by [`release`](Self::release); false if none came in
    /// time. `why` is what the greenlet waits for.
    #[track_caller]
    #[inline]
    pub(super) fn acquire_by_hand(&self, timeout: Option<Duration>, why: &'static str) -> bool {
        hub::spend_budget();
        self.take() || self.wait_for_permit(timeout, why)
    }

    #[inline]
    pub(super) fn take(&self) -> bool {
        let permits = self.permits.get();
        if permits > 0 {
            self.permits.set(permits - 1);
        }
        permits > 0
    }

    #[track_caller]
    fn wait_for_permit(&self, timeout: Option<Duration>, why: &'static str) -> bool {
        // Whoever gives a permit back while this waits leaves it to this.
        let pass_on = || {
            self.give(1);
        };
        hub::here().wait_for_hand_over(&self.waiting, deadline(timeout), why, &pass_on)
    }

    /// Gives back permits that were taken elsewhere, or adds new ones.
    ///
    /// # Panics
    ///
    /// If there are more than `usize::MAX`.
    pub fn release(&self, permits: usize) {
        assert!(self.give(permits), "{permits} permits more than {} are too many", self.available());
    }

    /// Gives back permits. False, and nothing happens, if there would be too many.
    #[inline]
    pub(super) fn give(&self, permits: usize) -> bool {
        let fit = permits <= self.bound - self.permits.get();
        if fit {
            let mut left = permits;
            while left > 0 && self.waiting.wake_one() {
                left -= 1;
            }
            self.permits.set(self.permits.get() + left);
        }
        fit
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.permits.get()
    }

    /// How many greenlets wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl SemaphoreGuard<'_> {
    /// Keeps the permit taken: somebody else will [release](Semaphore::release) it.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for SemaphoreGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.semaphore.give(1) {
            too_many_released();
        }
    }
}

/// Only a bounded semaphore whose users gave back what somebody still held gets here.
#[cold]
fn too_many_released() {
    assert!(panicking(), "a permit is given back that has been released already");
}
