//! Why a task has no value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic;

use crate::greenlet::{GreenletExit, payload_message};
use crate::timeout::Expired;

/// Why a task has no value.
///
/// It is what unwound the task: [`GreenletExit`] for a kill, the payload of a panic otherwise. Or else
/// it says why the task did not start.
pub struct TaskError(Kind);

/// In one word, because every task has room for one: hence a box of a box.
enum Kind {
    Killed,
    Unwound(Box<Box<dyn Any + Send>>),
}

const _: () = assert!(size_of::<TaskError>() == size_of::<usize>());

/// What stands in for a payload where nothing has unwound.
struct NotStarted(Box<dyn Error + Send + Sync>);

impl TaskError {
    /// From what unwound the body.
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        if payload.is::<GreenletExit>() { Self::killed() } else { Self(Kind::Unwound(Box::new(payload))) }
    }

    pub(crate) fn killed() -> Self {
        Self(Kind::Killed)
    }

    /// There was no stack for it, or no thread.
    pub(crate) fn not_started(error: impl Error + Send + Sync + 'static) -> Self {
        Self::from_payload(Box::new(NotStarted(Box::new(error))))
    }

    fn payload(&self) -> &(dyn Any + Send) {
        match &self.0 {
            Kind::Killed => &GreenletExit,
            Kind::Unwound(payload) => &***payload,
        }
    }

    /// Whether the task was killed (gevent's `GreenletExit`), before it ran or while it waited.
    pub fn is_killed(&self) -> bool {
        matches!(self.0, Kind::Killed)
    }

    /// Whether the task never ran, because there was no memory for its stack, no thread for it, or
    /// its thread was ending.
    pub fn is_not_started(&self) -> bool {
        self.payload().is::<NotStarted>()
    }

    /// Whether a [`Timeout`](crate::Timeout) unwound the task and nobody caught it.
    pub fn is_timeout(&self) -> bool {
        self.payload().is::<Expired>()
    }

    /// The message of the panic that ended the task, if it was one with a message.
    pub fn message(&self) -> Option<&str> {
        payload_message(self.payload())
    }

    /// What the task unwound with, if that is an `E`: the error of a
    /// [`kill_with`](super::Task::kill_with) or of a timeout, or the payload of a panic.
    pub fn downcast_ref<E: Any>(&self) -> Option<&E> {
        self.payload().downcast_ref()
    }

    /// The payload of the panic that ended the task, as [`std::thread::JoinHandle::join`] returns
    /// it. For a task that did not start, the text that says why.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match self.0 {
            Kind::Killed => Box::new(GreenletExit),
            Kind::Unwound(payload) => payload
                .downcast::<NotStarted>()
                .map_or_else(|payload| payload, |why| Box::new(why.0.to_string())),
        }
    }

    /// Goes on with the panic that ended the task, here.
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_killed() {
            f.write_str("the task was killed")
        } else if let Some(NotStarted(why)) = self.payload().downcast_ref() {
            write!(f, "the task did not start: {why}")
        } else if let Some(expired) = self.payload().downcast_ref::<Expired>() {
            write!(f, "the task {expired}")
        } else if let Some(message) = self.message() {
            write!(f, "the task panicked: {message}")
        } else {
            f.write_str("the task panicked")
        }
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskError").field(&format_args!("{self}")).finish()
    }
}

impl Error for TaskError {}
