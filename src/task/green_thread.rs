//! The handle to a task, and what it shares with the running body.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::TaskError;
use crate::greenlet::{GreenletExit, KillError, Raised, SwitchError, life};
use crate::hub::{self, Fiber, Interrupt, WaitQueue};
use crate::report::{Report, ReportKind};
use crate::time::deadline;

/// A handle to a task that [`spawn`](super::spawn) started.
///
/// Dropping it detaches the task, which goes on. [`join`](Self::join) waits and takes the result.
///
/// It combines gevent's `Greenlet`, eventlet's `GreenThread` and [`std::thread::JoinHandle`].
#[must_use = "a task whose handle is dropped goes on by itself; say `drop(...)` if that is meant"]
pub struct GreenThread<T: 'static> {
    task: Rc<dyn Shared<T>>,
}

/// What a handle and the body share, in one allocation.
pub(super) struct Task<F, T> {
    fiber: Fiber,
    body: Cell<Option<F>>,
    outcome: Outcome<T>,
}

/// Where the result is left, and who waits for it.
pub(super) struct Outcome<T> {
    result: UnsafeCell<Option<Result<T, TaskError>>>,
    /// Whether the task has ended; the result may have been taken since.
    ended: Cell<bool>,
    waiting: WaitQueue,
}

/// A task of which only the type of the result is known.
trait Shared<T> {
    fn fiber(&self) -> &Fiber;
    fn outcome(&self) -> &Outcome<T>;
    /// Whether the body has not run yet. In that case it is dropped, after `first` was called.
    fn drop_body(&self, first: &dyn Fn()) -> bool;
}

impl<F, T> Task<F, T> {
    pub(super) fn new(fiber: Fiber, body: F) -> Self {
        Self {
            fiber,
            body: Cell::new(Some(body)),
            outcome: Outcome {
                result: UnsafeCell::new(None),
                ended: Cell::new(false),
                waiting: WaitQueue::new(),
            },
        }
    }

    pub(super) fn fiber(&self) -> &Fiber {
        &self.fiber
    }

    pub(super) fn take_body(&self) -> Option<F> {
        self.body.take()
    }

    pub(super) fn end(&self, result: Result<T, Raised>) {
        if let Err(raised) = &result
            && !raised.is_exit()
        {
            // SAFETY: the task's greenlet is the one that ends here, or has just been refused.
            let greenlet = life::describe(unsafe { self.fiber.core().as_ref() });
            Report::new(ReportKind::TaskFailed, &greenlet, raised).send();
        }
        self.outcome.set(result.map_err(TaskError::ended));
    }

    pub(super) fn cannot_start(&self, error: SwitchError) {
        drop(self.body.take());
        self.outcome.set(Err(TaskError::not_started(error)));
    }
}

impl<F, T> Shared<T> for Task<F, T> {
    fn fiber(&self) -> &Fiber {
        &self.fiber
    }

    fn outcome(&self) -> &Outcome<T> {
        &self.outcome
    }

    fn drop_body(&self, first: &dyn Fn()) -> bool {
        let body = self.body.take();
        body.map(|_body| first()).is_some()
    }
}

impl<T> Outcome<T> {
    fn set(&self, result: Result<T, TaskError>) {
        // SAFETY: set once, before `ended` lets anybody look.
        unsafe { *self.result.get() = Some(result) };
        self.ended.set(true);
        hub::with_existing(|hub| self.waiting.wake_all(hub));
    }

    fn take(&self) -> Option<Result<T, TaskError>> {
        // SAFETY: only handles of this thread look, and no reference outlives a look.
        unsafe { (*self.result.get()).take() }
    }
}

impl<T: 'static> GreenThread<T> {
    pub(super) fn new<F: 'static>(task: Rc<Task<F, T>>) -> Self {
        Self { task }
    }

    /// Waits for the task to end, and takes its result (gevent's `get`).
    ///
    /// # Errors
    ///
    /// If the task panicked, was killed, or could not start.
    #[track_caller]
    pub fn join(self) -> Result<T, TaskError> {
        self.wait(None);
        self.task.outcome().take().expect("a task leaves its result when it ends, and only `join` takes it")
    }

    /// Waits for the task to end, for at most `timeout` if there is one (gevent's `join`). Whether
    /// it has ended.
    #[track_caller]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        self.wait_until(deadline(timeout))
    }

    #[track_caller]
    pub(super) fn wait_until(&self, until: Option<std::time::Instant>) -> bool {
        let outcome = self.task.outcome();
        if !outcome.ended.get() {
            hub::here().wait(&outcome.waiting, until, "the end of a task");
        }
        outcome.ended.get()
    }

    /// Whether the task has ended, in whatever way (gevent's `ready`).
    pub fn is_finished(&self) -> bool {
        self.task.outcome().ended.get()
    }

    /// Whether the task has ended without a panic (gevent's `successful`): a kill counts as success
    /// there, and here.
    pub fn is_successful(&self) -> bool {
        self.is_finished() && self.error().is_none_or(TaskError::is_killed)
    }

    /// The result, if the task has ended well (gevent's `value`).
    pub fn value(&self) -> Option<&T> {
        self.result()?.as_ref().ok()
    }

    /// Why there is no result, if the task has ended without one (gevent's `exception`).
    pub fn error(&self) -> Option<&TaskError> {
        self.result()?.as_ref().err()
    }

    fn result(&self) -> Option<&Result<T, TaskError>> {
        // SAFETY: written once, before the task has ended, and taken only by `join`, which consumes
        // the only handle.
        self.is_finished().then(|| unsafe { (*self.task.outcome().result.get()).as_ref() })?
    }

    /// Ends the task with [`GreenletExit`]: where it waits if it waits, or where it will wait next;
    /// without running if it has not run yet. Returns at once; [`wait`](Self::wait) tells when the
    /// task is gone. One that has ended is left as it is.
    ///
    /// Only waits of this library unwind, never foreign code.
    ///
    /// # Errors
    ///
    /// If the task has begun to run and this build cannot unwind.
    pub fn kill(&self) -> Result<(), KillError> {
        if self.is_finished() {
            return Ok(());
        }
        let fiber = self.task.fiber();
        // One that never ran becomes ready to end.
        if self.task.drop_body(&|| hub::here().make_ready(fiber)) {
            return Ok(());
        }
        if !life::CAN_UNWIND {
            return Err(KillError::CannotUnwind);
        }
        // Killed twice before it could react is killed once.
        fiber.cancel_interrupts(|payload| payload.is::<GreenletExit>());
        hub::here().interrupt(fiber, Interrupt::Unwind(Box::new(GreenletExit)));
        Ok(())
    }
}

impl<T: 'static> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenThread")
            .field("finished", &self.is_finished())
            .field("error", &self.error())
            .finish()
    }
}
