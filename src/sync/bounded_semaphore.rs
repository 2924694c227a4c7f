//! A semaphore that notices when too much is given back.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Semaphore, SemaphoreGuard};

/// A [`Semaphore`] that never has more permits than it had at first (gevent's and eventlet's
/// `BoundedSemaphore`).
///
/// ```
/// let slots = greenlet::sync::BoundedSemaphore::new(2);
/// slots.acquire().forget();
/// assert!(slots.release(1).is_ok());
/// assert!(slots.release(1).is_err());
/// ```
#[derive(Debug)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// A semaphore with this many permits, now and at most.
    pub const fn new(permits: usize) -> Self {
        Self { semaphore: Semaphore::with_bound(permits, permits), bound: permits }
    }

    /// Waits for a permit.
    #[track_caller]
    pub fn acquire(&self) -> SemaphoreGuard<'_> {
        self.semaphore.acquire()
    }

    /// Waits for a permit, for at most `timeout`.
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<SemaphoreGuard<'_>> {
        self.semaphore.acquire_timeout(timeout)
    }

    /// Takes a permit if there is one that nobody waits for.
    pub fn try_acquire(&self) -> Option<SemaphoreGuard<'_>> {
        self.semaphore.try_acquire()
    }

    /// Waits until it has its turn, without keeping the permit. Returns how many are free then.
    #[track_caller]
    pub fn wait(&self) -> usize {
        self.semaphore.wait()
    }

    /// Gives back permits that were taken elsewhere. A guard of a permit that was given back by this
    /// panics when it is dropped.
    ///
    /// # Errors
    ///
    /// If there would be more than at first; none is given back then.
    pub fn release(&self, permits: usize) -> Result<(), ReleaseError> {
        if self.semaphore.give(permits) { Ok(()) } else { Err(ReleaseError { bound: self.bound }) }
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.semaphore.available()
    }

    /// How many permits there are at most.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// How many greenlets wait for a permit.
    pub fn waiting(&self) -> usize {
        self.semaphore.waiting()
    }
}

/// More permits were given back to a [`BoundedSemaphore`] than had been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseError {
    bound: usize,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a semaphore of {} permits was released more often than acquired", self.bound)
    }
}

impl Error for ReleaseError {}
