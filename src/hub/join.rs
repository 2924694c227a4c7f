//! Running until nothing is left.

use std::time::Duration;

use super::Hub;
use crate::greenlet::thread::current_is_root;
use crate::time::deadline;

/// Lets all others run until nothing is left that could ever wake one of them, or `timeout` is over;
/// false in the latter case (gevent's `Hub.join`, and its `wait` without objects).
///
/// What still waits then, waits for something that cannot happen any more. While a
/// [`HubHandle`](super::HubHandle) to this hub exists, anything can. A program that spawns servers and
/// has nothing else to do calls this at the end of `main`: when `main` returns, tasks are unwound, not
/// waited for.
///
/// # Panics
///
/// If it is not the root greenlet that calls.
///
/// ```
/// use std::time::Duration;
/// use greenlet::{hub, sleep, spawn};
///
/// drop(spawn(|| sleep(Duration::from_millis(1))));
/// assert!(hub::join(None));
/// ```
#[track_caller]
pub fn join(timeout: Option<Duration>) -> bool {
    assert!(current_is_root(), "only the root greenlet can wait for all others");
    let hub = super::here();
    let _joining = Joining(hub);
    let deadline = deadline(timeout);
    hub.joining.set(Some(deadline.iter().len()));
    hub.park_while(|| hub.joining.get().is_some(), deadline, "the end of all others");
    hub.joining.get().is_none()
}

struct Joining<'a>(&'a Hub);

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        self.0.joining.set(None);
    }
}

impl Hub {
    /// Whether a timer is set that somebody waits for, besides the one that limits a [`join`].
    pub(super) fn has_timers(&self) -> bool {
        self.timers.borrow().len() > self.joining.get().unwrap_or(0)
    }
}
