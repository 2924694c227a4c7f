//! A counter of permits.

use std::cell::Cell;
use std::time::Duration;

use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// A number of permits that greenlets take and give back (gevent's `Semaphore`).
///
/// A permit that is given back while somebody waits goes to the one who has waited longest, and to
/// nobody else.
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
        Self { permits: Cell::new(permits), waiting: WaitQueue::new() }
    }

    /// Waits for a permit.
    #[track_caller]
    pub fn acquire(&self) -> SemaphoreGuard<'_> {
        self.wait(None).expect("without a timeout a permit comes or the wait goes on")
    }

    /// Waits for a permit, for at most `timeout`.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<SemaphoreGuard<'_>> {
        self.wait(Some(timeout))
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> Option<SemaphoreGuard<'_>> {
        let left = self.permits.get().checked_sub(1)?;
        self.permits.set(left);
        Some(SemaphoreGuard { semaphore: self })
    }

    #[track_caller]
    fn wait(&self, timeout: Option<Duration>) -> Option<SemaphoreGuard<'_>> {
        if let Some(guard) = self.try_acquire() {
            return Some(guard);
        }
        // Whoever gives a permit back while this waits leaves it to this.
        let given = hub::here()
            .wait_for_hand_over(&self.waiting, deadline(timeout), "a semaphore", &|| self.release(1));
        // Not `then_some`: a guard that is made is a permit to give back.
        given.then(|| SemaphoreGuard { semaphore: self })
    }

    /// Gives back permits that were taken elsewhere, or adds new ones.
    pub fn release(&self, permits: usize) {
        for _ in 0..permits {
            if hub::with_existing(|hub| self.waiting.wake_one(hub)) != Some(true) {
                self.permits.set(self.permits.get() + 1);
            }
        }
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.permits.get()
    }
}

impl SemaphoreGuard<'_> {
    /// Keeps the permit taken: somebody else will [release](Semaphore::release) it.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for SemaphoreGuard<'_> {
    fn drop(&mut self) {
        self.semaphore.release(1);
    }
}
