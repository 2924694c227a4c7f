//! A value or an error that comes once, from whatever thread.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::waiters::{Waiters, Wake, wait};
use crate::hub;
use crate::lock::lock;
use crate::time::deadline;

/// A place for a value or an error that greenlets of all hubs and threads without one wait for (gevent's
/// `AsyncResult`, safe between threads).
///
/// It is set once. Everybody who has waited for it, and everybody who comes later, sees the same
/// result. Clones are handles to the same place. For something to be called when the result comes,
/// spawn a task that waits for it.
///
/// ```
/// use greenlet::threads::AsyncResult;
///
/// let answer = AsyncResult::new();
/// let computer = std::thread::spawn({
///     let answer = answer.clone();
///     move || answer.set(42)
/// });
/// assert_eq!(answer.get().unwrap(), &42); // lets other greenlets of this thread run
/// assert_eq!(answer.set(43), Err(43));
/// computer.join().unwrap().unwrap();
/// ```
pub struct AsyncResult<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    result: OnceLock<Result<T, SharedError>>,
    waiting: Mutex<Waiters>,
}

type SharedError = Box<dyn Error + Send + Sync>;

impl<T> AsyncResult<T> {
    /// A place that is not set.
    pub fn new() -> Self {
        let shared = Shared { result: OnceLock::new(), waiting: Mutex::new(Waiters::new()) };
        Self { shared: Arc::new(shared) }
    }

    /// Sets the value and wakes everybody who waits.
    ///
    /// # Errors
    ///
    /// The value, if there is a result already.
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.settle(Ok(value)) {
            Err(Ok(refused)) => Err(refused),
            _ => Ok(()),
        }
    }

    /// Sets an error in place of a value (gevent's `set_exception`) and wakes everybody who waits.
    ///
    /// # Errors
    ///
    /// The error, if there is a result already.
    pub fn set_error(
        &self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self.settle(Err(error.into())) {
            Err(Err(refused)) => Err(refused),
            _ => Ok(()),
        }
    }

    fn settle(&self, result: Result<T, SharedError>) -> Result<(), Result<T, SharedError>> {
        self.shared.result.set(result)?;
        // Whoever is about to wait looks for the result once more with the lock held.
        let woken = lock(&self.shared.waiting).all();
        woken.for_each(|waker| waker.wake());
        Ok(())
    }

    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The [error](Self::set_error) that was set in place of a value.
    #[track_caller]
    pub fn get(&self) -> Result<&T, &(dyn Error + Send + Sync + 'static)> {
        self.wait();
        self.try_get().expect("the wait is over once there is a result")
    }

    /// As [`get`](Self::get), for at most `timeout`.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<&T, &(dyn Error + Send + Sync + 'static)>> {
        self.wait_timeout(timeout);
        self.try_get()
    }

    /// The result, if there is one.
    pub fn try_get(&self) -> Option<Result<&T, &(dyn Error + Send + Sync + 'static)>> {
        let result = self.shared.result.get()?;
        Some(result.as_ref().map_err(|error| &**error))
    }

    /// Waits until there is a result.
    #[track_caller]
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// As [`wait`](Self::wait), for at most `timeout`. Whether there is a result.
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(deadline(Some(timeout)))
    }

    #[track_caller]
    fn wait_until(&self, until: Option<Instant>) -> bool {
        if self.is_ready() {
            hub::spend_budget();
            return true;
        }
        let not_ready = |_: &Waiters| !self.is_ready();
        wait(&self.shared.waiting, |waiting| waiting, until, "a result of another thread", not_ready)
            != Wake::TimedOut
    }

    /// Whether there is a result.
    pub fn is_ready(&self) -> bool {
        self.shared.result.get().is_some()
    }

    /// Whether there is a value.
    pub fn is_successful(&self) -> bool {
        self.value().is_some()
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.try_get()?.ok()
    }

    /// The error, if there is one.
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.try_get()?.err()
    }

    /// The result, if there is one and this is its last handle.
    ///
    /// # Errors
    ///
    /// This handle, otherwise.
    pub fn into_inner(self) -> Result<Result<T, Box<dyn Error + Send + Sync>>, Self> {
        if !self.is_ready() {
            return Err(self);
        }
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.result.into_inner().expect("seen above")),
            Err(shared) => Err(Self { shared }),
        }
    }
}

impl<T> Clone for AsyncResult<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> Default for AsyncResult<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for AsyncResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncResult").field(&self.try_get()).finish()
    }
}
