//! Starting tasks.

use std::time::{Duration, Instant};

use super::life::{cancel, new_greenlet, new_greenlet_with, prepare, unrun};
use super::shared::Counted;
use super::{GreenThread, TaskError};
use crate::greenlet::{Builder, SwitchError};
use crate::hub::{self, Action, Hub, HubGone, HubHandle};

/// Queues `body` to run when the caller next waits, and returns at once.
///
/// Tasks run on this thread, in the order in which they were spawned, each until it waits. They
/// need not be `Send`.
///
/// ```
/// let task = greenlet::spawn(|| 6 * 7);
/// assert_eq!(task.join().unwrap(), 42);
/// ```
pub fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    start_soon(prepare(new_greenlet(), body))
}

/// Spawns a task that nobody waits for. Where nothing runs any more, at the very end of a thread, the body is dropped.
pub(crate) fn spawn_for_nobody(body: impl FnOnce() + 'static) {
    if !hub::has_ended() {
        drop(spawn(body));
    }
}

/// As [`spawn`], after a delay. A zero delay lets what is ready now run first.
pub fn spawn_later<T: 'static>(delay: Duration, body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    start_later(prepare(new_greenlet(), body), delay)
}

impl Builder<()> {
    /// Spawns a task with these options, see [`spawn`]. A parent that was set does not matter: the
    /// result is for whoever joins.
    pub fn spawn<R: 'static>(self, body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
        start_soon(prepare(new_greenlet_with(self), body))
    }

    /// Spawns a task with these options after a delay, see [`spawn_later`].
    pub fn spawn_later<R: 'static>(
        self,
        delay: Duration,
        body: impl FnOnce() -> R + 'static,
    ) -> GreenThread<R> {
        start_later(prepare(new_greenlet_with(self), body), delay)
    }
}

#[inline]
fn start_soon<R>(task: Counted) -> GreenThread<R> {
    start(task, |hub, task| hub.make_ready(&task.fiber))
}

fn start_later<R>(task: Counted, delay: Duration) -> GreenThread<R> {
    start(task, |hub, task| {
        let now = Instant::now();
        // What the clock cannot express is further away than any program runs.
        let then = now.checked_add(delay).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        // The hub's count keeps the task until it has run, or until it is cancelled and its timer with
        // it.
        let timer = hub.set_timer(then, Action::Wake((&task.fiber).into()));
        task.rare_or_new().start.set(Some(timer));
    })
}

#[inline]
fn start<R>(task: Counted, start: impl FnOnce(&Hub, &Counted)) -> GreenThread<R> {
    let hub = hub::here();
    if hub.is_shutting_down() {
        // Nothing new starts on a hub that is ending.
        cancel(&task, TaskError::not_started(SwitchError::ThreadEnding));
    } else {
        // SAFETY: nothing but tasks is spawned, and that is what it takes.
        unsafe { hub.on_unrun(unrun) };
        start(hub, &task);
    }
    GreenThread::new(task)
}

impl HubHandle {
    /// Spawns a task on this handle's hub, from any thread. Its result goes nowhere; a panic is
    /// [reported](crate::set_report_hook).
    ///
    /// # Errors
    ///
    /// If the hub's thread has ended. The body is dropped.
    pub fn spawn(&self, body: impl FnOnce() + Send + 'static) -> Result<(), HubGone> {
        self.remote().call(|_: &Hub| drop(spawn(body)))
    }
}
