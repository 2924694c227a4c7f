//! Ending tasks from outside.

use std::any::Any;
use std::time::Duration;

use super::life::{cancel, report_failure};
use super::{Task, TaskError};
use crate::greenlet::{GreenletExit, KillError, Raised, life};
use crate::hub::{self, Cause, Interrupt};

impl Task {
    /// Ends the task with [`GreenletExit`]: where it waits if it waits, or where it will wait next;
    /// at once and without running if it has not begun to run. One that has ended is left as it is.
    ///
    /// This returns at once, as gevent's `kill(block=False)`. A task that was running unwinds when its
    /// turn comes, and may catch the exit and go on; [`wait`](Self::wait) tells when it is gone, and
    /// [`kill_and_wait`](Self::kill_and_wait) does both. Only waits of this library unwind, never
    /// foreign code.
    ///
    /// # Errors
    ///
    /// If the task has begun to run and this build cannot unwind.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let task = greenlet::spawn(|| greenlet::sleep(Duration::from_secs(3600)));
    /// greenlet::yield_now(); // it sleeps
    /// task.kill().unwrap();
    /// assert!(task.join().unwrap_err().is_killed());
    /// ```
    pub fn kill(&self) -> Result<(), KillError> {
        self.raise(Box::new(GreenletExit))
    }

    /// As [`kill`](Self::kill), with an error of your own: a task that does not catch it has failed
    /// with it, see [`TaskError::downcast_ref`].
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    pub fn kill_with(&self, error: impl Any + Send) -> Result<(), KillError> {
        self.raise(Box::new(error))
    }

    /// As [`kill`](Self::kill), and waits until the task has ended, for at most `timeout` if there is
    /// one (gevent's `kill`). Whether it has. A task that does this to itself unwinds from here.
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    #[track_caller]
    pub fn kill_and_wait(&self, timeout: Option<Duration>) -> Result<bool, KillError> {
        self.kill()?;
        if !self.is_finished() && self.is(hub::here().current()) {
            // Here and now, and not once more where it waits next.
            self.shared().fiber.cancel_interrupts(Cause::Kill);
            Raised::exit().resume();
        }
        Ok(self.wait(timeout))
    }

    /// Kills the task if it has not begun to run (eventlet's `cancel`). Whether that was so.
    ///
    /// ```
    /// let task = greenlet::spawn(|| unreachable!());
    /// assert!(task.cancel());
    /// assert!(task.join().unwrap_err().is_killed());
    /// ```
    pub fn cancel(&self) -> bool {
        let unstarted = self.shared().is_unstarted();
        if unstarted {
            cancel(self.shared(), TaskError::killed());
        }
        unstarted
    }

    fn raise(&self, payload: Box<dyn Any + Send>) -> Result<(), KillError> {
        if self.shared().is_unstarted() {
            let error = TaskError::from_payload(payload);
            report_failure(self.shared(), &error);
            // Whoever is told of it may have cancelled it.
            if self.shared().is_unstarted() {
                cancel(self.shared(), error);
            }
        } else if !self.is_finished() {
            if !life::CAN_UNWIND {
                return Err(KillError::CannotUnwind);
            }
            let fiber = &self.shared().fiber;
            // Killed twice before it could react is killed once.
            hub::with_existing(|hub| hub.interrupt(fiber, Interrupt::Unwind(Cause::Kill, payload)));
        }
        Ok(())
    }
}

/// [Kills](Task::kill) all `tasks`, in this order, and returns at once (gevent's
/// `killall(block=False)`). [`join_all`](super::join_all) tells when they are gone.
///
/// The caller may be among them: it unwinds where it waits next.
///
/// # Errors
///
/// If one of them has begun to run and this build cannot unwind. The others are killed all the same.
///
/// ```
/// use std::time::Duration;
/// use greenlet::{join_all, kill_all, sleep, spawn};
///
/// let tasks: Vec<_> = (0..3).map(|_| spawn(|| sleep(Duration::from_secs(3600)))).collect();
/// kill_all(&tasks).unwrap();
/// assert_eq!(join_all(&tasks, None).len(), 3);
/// ```
pub fn kill_all(tasks: impl IntoIterator<Item = impl AsRef<Task>>) -> Result<(), KillError> {
    let mut result = Ok(());
    for task in tasks {
        result = result.and(task.as_ref().kill());
    }
    result
}
