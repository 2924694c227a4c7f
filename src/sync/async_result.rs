//! A value or an error that comes once.

use std::cell::OnceCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::hub::{self, WaitQueue, Waitable, Watched};
use crate::task::{Callbacks, LinkId, spawn_for_nobody};
use crate::time::deadline;

/// A place for a value or an error that greenlets wait for (gevent's `AsyncResult`, eventlet's
/// `Event`).
///
/// It is set once. Everybody who has waited for it, and everybody who comes later, sees the same
/// result. Clones are handles to the same place.
///
/// ```
/// use greenlet::sync::AsyncResult;
///
/// let message = AsyncResult::new();
/// let listener = greenlet::spawn({
///     let message = message.clone();
///     move || format!("heard {}", message.get().unwrap())
/// });
/// greenlet::yield_now();
/// message.set("hello").unwrap();
/// assert_eq!(message.set("again"), Err("again"));
/// assert_eq!(listener.join().unwrap(), "heard hello");
/// ```
pub struct AsyncResult<T> {
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    result: OnceCell<Result<T, Box<dyn Error>>>,
    waiting: WaitQueue,
    links: Callbacks<AsyncResult<T>>,
}

impl<T> AsyncResult<T> {
    /// A place that is not set.
    pub fn new() -> Self {
        let shared = Shared { result: OnceCell::new(), waiting: WaitQueue::new(), links: Callbacks::new() };
        Self { shared: Rc::new(shared) }
    }

    /// Waits for the result. For how to take it out see [`into_inner`](Self::into_inner).
    ///
    /// # Errors
    ///
    /// The [error](Self::set_error) that was set in place of a value.
    #[track_caller]
    pub fn get(&self) -> Result<&T, &(dyn Error + 'static)> {
        self.wait();
        self.try_get().expect("the wait is over once there is a result")
    }

    /// As [`get`](Self::get), for at most `timeout`.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<&T, &(dyn Error + 'static)>> {
        self.wait_timeout(timeout);
        self.try_get()
    }

    /// The result, if there is one (gevent's `get_nowait`).
    pub fn try_get(&self) -> Option<Result<&T, &(dyn Error + 'static)>> {
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
        self.wait_until(Some(timeout))
    }

    #[track_caller]
    fn wait_until(&self, timeout: Option<Duration>) -> bool {
        hub::spend_budget();
        self.is_ready() || hub::here().wait(&self.shared.waiting, deadline(timeout), "a result")
    }

    /// Whether there is a result (gevent's `ready`).
    pub fn is_ready(&self) -> bool {
        self.shared.result.get().is_some()
    }

    /// Whether there is a value (gevent's `successful`).
    pub fn is_successful(&self) -> bool {
        self.value().is_some()
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.try_get()?.ok()
    }

    /// The error, if there is one (gevent's `exception`).
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.try_get()?.err()
    }

    /// The result, if there is one and this is its last handle.
    ///
    /// # Errors
    ///
    /// This handle, otherwise.
    pub fn into_inner(self) -> Result<Result<T, Box<dyn Error>>, Self> {
        if !self.is_ready() {
            return Err(self);
        }
        match Rc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.result.into_inner().expect("seen above")),
            Err(shared) => Err(Self { shared }),
        }
    }
}

impl<T: 'static> AsyncResult<T> {
    /// Sets the value (eventlet's `send`): starts the [links](Self::link), and makes everybody ready
    /// who waits. They run when the caller waits, not before.
    ///
    /// # Errors
    ///
    /// The value, if there is a result already.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.is_ready() {
            return Err(value);
        }
        self.settle(Ok(value));
        Ok(())
    }

    /// Sets an error in place of a value (gevent's `set_exception`, eventlet's `send_exception`).
    ///
    /// # Errors
    ///
    /// The error, if there is a result already.
    pub fn set_error(&self, error: impl Into<Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
        let error = error.into();
        if self.is_ready() {
            return Err(error);
        }
        self.settle(Err(error));
        Ok(())
    }

    /// Sets whichever of the two it is: what joining a task returns, for one.
    ///
    /// # Errors
    ///
    /// What was to be set, if there is a result already.
    pub fn set_result<E: Into<Box<dyn Error>>>(&self, result: Result<T, E>) -> Result<(), Result<T, E>> {
        if self.is_ready() {
            return Err(result);
        }
        self.settle(result.map_err(Into::into));
        Ok(())
    }

    /// There is no result yet, and this is it.
    fn settle(&self, result: Result<T, Box<dyn Error>>) {
        self.shared.result.get_or_init(|| result);
        self.start_links();
        self.shared.waiting.wake_all();
    }

    /// Has `callback` called once there is a result; soon, if there is one. Callbacks run in tasks of
    /// their own, which start in the order of linking and before those who wait; so they may wait
    /// themselves, and a panic in one is [reported](crate::set_report_hook) and stops no other. (gevent's
    /// `rawlink`, whose callbacks run in the hub.)
    pub fn link(&self, callback: impl FnOnce(&Self) + 'static) -> LinkId {
        let id = self.shared.links.push(Box::new(callback));
        if self.is_ready() {
            self.start_link(id);
        }
        id
    }

    /// Forgets a callback; false if it has begun to run.
    pub fn unlink(&self, id: LinkId) -> bool {
        self.shared.links.take(id).is_some()
    }

    fn start_links(&self) {
        for id in self.shared.links.ids() {
            self.start_link(id);
        }
    }

    fn start_link(&self, id: LinkId) {
        let this = self.clone();
        spawn_for_nobody(move || {
            // An earlier callback may have unlinked this one.
            if let Some(callback) = this.shared.links.take(id) {
                callback(&this);
            }
        });
    }
}

impl<T> Waitable for AsyncResult<T> {
    fn watched(&self) -> Watched<'_> {
        Watched { is_ready: self.is_ready(), waiting: &self.shared.waiting }
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
