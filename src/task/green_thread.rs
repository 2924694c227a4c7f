//! The handle to a task and its value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use super::links::LinkId;
use super::shared::Counted;
use super::{Task, TaskError};
use crate::hub::{Waitable, Watched};
use crate::time::deadline;

/// A handle to a task that [`spawn`](super::spawn) started, and the right to its value.
///
/// There is one for each task, as of [`std::thread::JoinHandle`]: [`join`](Self::join) waits, moves
/// the value out, and uses the handle up. Until then [`value`](Self::value) and
/// [`error`](Self::error) lend the result out, and [links](Self::link_value) are shown it. To share
/// the handle, put it into an [`Rc`](std::rc::Rc). For all else the handle is a [`Task`], which can
/// be cloned.
///
/// Dropping it detaches the task, which goes on.
///
/// It combines gevent's `Greenlet`, eventlet's `GreenThread` and [`std::thread::JoinHandle`].
#[must_use = "a task whose handle is dropped goes on by itself; say `drop(...)` if that is meant"]
pub struct GreenThread<T: 'static> {
    task: Task,
    value: PhantomData<T>,
}

impl<T: 'static> GreenThread<T> {
    /// The task's value is a `T`, and there is no other such handle.
    pub(super) fn new(shared: Counted) -> Self {
        Self { task: Task::new(shared), value: PhantomData }
    }

    /// Waits for the task to end, and takes its result (gevent's `get`). If it has
    /// [links](Task::link), these come first.
    ///
    /// # Errors
    ///
    /// If the task panicked, was killed, or could not start.
    ///
    /// # Panics
    ///
    /// If the task waits for itself, or one of its links does this; and as every wait, see
    /// [Waiting](crate::hub#waiting).
    #[track_caller]
    pub fn join(self) -> Result<T, TaskError> {
        self.task.wait_for_result(None);
        self.take()
    }

    /// As [`join`](Self::join), if the task ends within `timeout` (gevent's `get(timeout=...)`).
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended by then, or its links are not through.
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join).
    #[track_caller]
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, TaskError>, Self> {
        if self.task.wait_for_result(deadline(Some(timeout))) { Ok(self.take()) } else { Err(self) }
    }

    /// The result of a task that was waited for.
    fn take(self) -> Result<T, TaskError> {
        // SAFETY: the type is that of the task by the word given to `new`. Only this handle lends
        // the result out, and only to links besides, which have returned.
        let result = unsafe { self.task.shared().take() };
        result.expect("a task leaves its result when it ends, and only `join` takes it")
    }

    /// The value, if the task has ended well (gevent's `value`).
    pub fn value(&self) -> Option<&T> {
        self.result()?.ok()
    }

    /// Why there is no value, if the task has ended without one (gevent's `exception`).
    pub fn error(&self) -> Option<&TaskError> {
        self.result()?.err()
    }

    /// The value, or why there is none, if the task has ended.
    pub fn result(&self) -> Option<Result<&T, &TaskError>> {
        // SAFETY: the type is that of the task, and only `join` takes the result, which uses up the
        // only handle.
        unsafe { self.task.shared().result() }
    }

    /// As [`Task::link`], if the task ends with a value, with that value.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::cell::Cell;
    ///
    /// let seen = Rc::new(Cell::new(0));
    /// let task = greenlet::spawn(|| 42);
    /// task.link_value({
    ///     let seen = seen.clone();
    ///     move |value| seen.set(*value)
    /// });
    /// task.join().unwrap();
    /// assert_eq!(seen.get(), 42);
    /// ```
    pub fn link_value(&self, callback: impl FnOnce(&T) + 'static) -> LinkId {
        self.link_result(|result| _ = result.map(callback))
    }

    /// As [`Task::link`], if the task ends without a value, with the reason (gevent's
    /// `link_exception`; a kill is a reason here).
    pub fn link_error(&self, callback: impl FnOnce(&TaskError) + 'static) -> LinkId {
        self.link_result(|result| _ = result.map_err(callback))
    }

    fn link_result(&self, callback: impl FnOnce(Result<&T, &TaskError>) + 'static) -> LinkId {
        self.task.link(|task| {
            // SAFETY: the type is that of the task, and `join` waits for this to return.
            if let Some(result) = unsafe { task.shared().result() } {
                callback(result);
            }
        })
    }
}

impl<T: 'static> Deref for GreenThread<T> {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.task
    }
}

impl<T: 'static> AsRef<Task> for GreenThread<T> {
    fn as_ref(&self) -> &Task {
        self
    }
}

impl<T: 'static> Waitable for GreenThread<T> {
    fn watched(&self) -> Watched<'_> {
        self.task.watched()
    }
}

impl<T: 'static> fmt::Debug for GreenThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenThread").field("task", &self.task).field("error", &self.error()).finish()
    }
}

/// Handles stay on their thread.
///
/// ```compile_fail
/// let task = greenlet::spawn(|| 1);
/// std::thread::spawn(move || task.join());
/// ```
///
/// ```compile_fail
/// let task = greenlet::Task::clone(&greenlet::spawn(|| 1));
/// std::thread::spawn(move || task.kill());
/// ```
///
/// ```compile_fail
/// let timeout = greenlet::Timeout::new(None);
/// std::thread::spawn(move || timeout.cancel());
/// ```
///
/// A value that is lent out cannot be taken meanwhile.
///
/// ```compile_fail
/// let task = greenlet::spawn(|| String::new());
/// let lent = task.value();
/// drop(task.join());
/// drop(lent);
/// ```
#[cfg(doctest)]
struct CompileFail;
