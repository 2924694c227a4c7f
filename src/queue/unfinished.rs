//! Waiting until everything that was put is done.

use std::time::Duration;

use super::{QueueOf, Storage, TaskDoneError};
use crate::hub;
use crate::time::deadline;

impl<S: Storage> QueueOf<S> {
    /// Reports one item that was taken out as done (gevent's and eventlet's `task_done`).
    ///
    /// # Errors
    ///
    /// If everything that was put is done already.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        if self.unfinished.get() == 0 {
            return Err(TaskDoneError);
        }
        self.finish(1);
        Ok(())
    }

    /// Waits until everything that was put has been reported as [done](Self::task_done).
    #[track_caller]
    pub fn join(&self) {
        self.join_within(None);
    }

    /// As [`join`](Self::join), for at most `timeout`. Whether everything was done.
    #[track_caller]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.join_within(Some(timeout))
    }

    /// How many items were put and not yet reported as done.
    pub fn unfinished(&self) -> usize {
        self.unfinished.get()
    }

    #[track_caller]
    fn join_within(&self, timeout: Option<Duration>) -> bool {
        hub::spend_budget();
        let done = self.unfinished.get() == 0;
        done || hub::here().wait(&self.joiners, deadline(timeout), "the items of a queue to be done")
    }

    pub(super) fn finish(&self, items: usize) {
        let left = self.unfinished.get().saturating_sub(items);
        self.unfinished.set(left);
        if left == 0 {
            self.joiners.wake_all();
        }
    }
}
