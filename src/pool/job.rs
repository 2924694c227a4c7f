//! What is done on another thread, and its result.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::task::TaskError;
use crate::threads::AsyncResult;

/// What a [`ThreadPool`](super::ThreadPool) does for somebody: a handle to wait for it and to take the
/// result.
///
/// Any greenlet of any thread may wait, and any thread without a hub. Dropping the handle changes
/// nothing but that the result is dropped, on the pool's thread if it is not there yet.
#[must_use = "a job whose handle is dropped is done all the same; say `drop(...)` if that is meant"]
pub struct Job<R> {
    answer: Answer<R>,
}

/// The result, until it is taken.
type Answer<R> = AsyncResult<Mutex<Option<Result<R, TaskError>>>>;

/// The other side: whoever has it gives the answer. Dropped, it says that there will be none.
pub(super) struct Promise<R> {
    answer: Option<Answer<R>>,
}

impl<R> Job<R> {
    pub(super) fn new() -> (Self, Promise<R>) {
        let answer = Answer::new();
        (Self { answer: answer.clone() }, Promise { answer: Some(answer) })
    }

    /// One that is not going to be done.
    pub(super) fn refused(error: io::Error) -> Self {
        let (job, promise) = Self::new();
        promise.answer(Err(TaskError::not_started(error)));
        job
    }

    /// Waits for the result, and takes it.
    ///
    /// # Errors
    ///
    /// If the function panicked; if the pool dropped it unrun, when it was
    /// [killed](super::ThreadPool::kill); or if there was no thread for it.
    #[track_caller]
    pub fn join(self) -> Result<R, TaskError> {
        let answer = self.answer.get().expect("an answer is a value");
        // Nothing panics while it holds the lock.
        let result = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.expect("the result is taken by the only handle")
    }

    /// Waits for the result, for at most `timeout` if there is one. Whether it is there.
    #[track_caller]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        match timeout {
            Some(timeout) => self.answer.wait_timeout(timeout),
            None => {
                self.answer.wait();
                true
            }
        }
    }

    /// Whether the result is there.
    pub fn is_finished(&self) -> bool {
        self.answer.is_ready()
    }
}

impl<R> Promise<R> {
    /// Calls `f` and answers with what comes of it.
    pub(super) fn fulfil(self, f: impl FnOnce() -> R) {
        let result = catch_unwind(AssertUnwindSafe(f));
        self.answer(result.map_err(TaskError::from_payload));
    }

    fn answer(mut self, result: Result<R, TaskError>) {
        if let Some(answer) = self.answer.take() {
            give(answer, result);
        }
    }
}

impl<R> Drop for Promise<R> {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            give(answer, Err(TaskError::killed()));
        }
    }
}

fn give<R>(answer: Answer<R>, result: Result<R, TaskError>) {
    let refused = answer.set(Mutex::new(Some(result)));
    debug_assert!(refused.is_ok(), "there is one promise");
    // Where nobody waits any more, this drops the result, whatever that does.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(answer))) {
        // It may panic once more: enough.
        std::mem::forget(second);
    }
}

impl<R> fmt::Debug for Job<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("finished", &self.is_finished()).finish()
    }
}
