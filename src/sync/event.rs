//! A flag that many wait for.

use std::cell::Cell;
use std::time::Duration;

use crate::hub::{self, WaitQueue, Waitable, Watched};
use crate::time::deadline;

/// A flag that greenlets wait for (gevent's `Event`).
///
/// Setting it wakes all who wait, in the order in which they came, even if it is cleared again before
/// they run.
///
/// ```
/// use std::rc::Rc;
/// use greenlet::sync::Event;
///
/// let ready = Rc::new(Event::new());
/// let waiter = greenlet::spawn({
///     let ready = ready.clone();
///     move || ready.wait()
/// });
/// ready.set();
/// waiter.join().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Event {
    set: Cell<bool>,
    waiting: WaitQueue,
}

impl Event {
    /// An event that is not set.
    pub const fn new() -> Self {
        Self { set: Cell::new(false), waiting: WaitQueue::new() }
    }

    /// Sets the flag and makes everybody ready who waits. They run when the caller waits, not before.
    pub fn set(&self) {
        self.set.set(true);
        self.waiting.wake_all();
    }

    /// Clears the flag: from now on [`wait`](Self::wait) waits.
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until the flag is set.
    #[track_caller]
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Waits until the flag is set, for at most `timeout`. Whether it was.
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Some(timeout))
    }

    #[track_caller]
    fn wait_until(&self, timeout: Option<Duration>) -> bool {
        hub::spend_budget();
        self.is_set() || hub::here().wait(&self.waiting, deadline(timeout), "an event")
    }
}

impl Waitable for Event {
    fn watched(&self) -> Watched<'_> {
        Watched { is_ready: self.is_set(), waiting: &self.waiting }
    }
}
