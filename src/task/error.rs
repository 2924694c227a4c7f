//! Why a task has no result.

use std::any::Any;
use std::fmt;
use std::panic;

use crate::greenlet::{Raised, SwitchError};

/// Why a task has no result.
pub struct TaskError(Kind);

enum Kind {
    Ended(Raised),
    NotStarted(SwitchError),
}

impl TaskError {
    pub(crate) fn ended(raised: Raised) -> Self {
        Self(Kind::Ended(raised))
    }

    pub(crate) fn not_started(error: SwitchError) -> Self {
        Self(Kind::NotStarted(error))
    }

    /// Whether the task was killed (gevent's `GreenletExit`), before it ran or while it waited.
    pub fn is_killed(&self) -> bool {
        matches!(&self.0, Kind::Ended(raised) if raised.is_exit())
    }

    /// Whether the task never ran, because there was no memory for its stack.
    pub fn is_not_started(&self) -> bool {
        matches!(self.0, Kind::NotStarted(_))
    }

    /// The message of the panic that ended the task, if it was one with a message.
    pub fn message(&self) -> Option<&str> {
        match &self.0 {
            Kind::Ended(raised) => raised.message(),
            Kind::NotStarted(_) => None,
        }
    }

    /// The payload of the panic that ended the task, as [`std::thread::JoinHandle::join`] returns
    /// it.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match self.0 {
            Kind::Ended(raised) => raised.into_payload(),
            Kind::NotStarted(error) => Box::new(error.to_string()),
        }
    }

    /// Goes on with the panic that ended the task, here.
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Ended(raised) if raised.is_exit() => f.write_str("the task was killed"),
            Kind::Ended(raised) => match raised.message() {
                Some(message) => write!(f, "the task panicked: {message}"),
                None => f.write_str("the task panicked"),
            },
            Kind::NotStarted(error) => write!(f, "the task did not start: {error}"),
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Ended(raised) => f.debug_tuple("TaskError").field(raised).finish(),
            Kind::NotStarted(error) => f.debug_tuple("TaskError").field(error).finish(),
        }
    }
}

impl std::error::Error for TaskError {}
