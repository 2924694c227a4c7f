//! Why an operation on a greenlet was refused.

use std::fmt;

use crate::stack::StackError;

/// Why a switch did not happen. Nothing has moved; the caller goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum SwitchError {
    /// The target has no body yet (Python: `AttributeError: run`). It stays unstarted.
    NoBody,
    /// No stack could be had for the target. It stays unstarted and may be tried again.
    Stack(StackError),
    /// The target's pending switch, or its body, takes another type of value.
    WrongType {
        /// The type of the value that was offered.
        offered: &'static str,
    },
    /// This thread is unwinding: a destructor that runs because of a panic or a kill tried to
    /// switch. What unwinds must reach its end first. So must a greenlet whose own thread-locals are
    /// being destroyed.
    Unwinding,
    /// This thread is ending and has unwound its greenlets.
    ThreadEnding,
    /// The greenlet refused to be unwound when its last handle went or its thread's hub ended; it is
    /// leaked and never continued.
    Abandoned,
    /// The program was built with `panic = "abort"`, so nothing can be raised in a greenlet.
    CannotUnwind,
    /// A [generator](super::Generator) was started in other thread-local storage: by a greenlet that has some to itself,
    /// or by others than that. Its body may hold references into it, as into that of another thread.
    OtherStorage,
}

/// Of a generator.
const OTHER_STORAGE: &str = "the generator was started in the thread-local storage of others";

impl SwitchError {
    pub(crate) fn wrong_type<T>() -> Self {
        Self::WrongType { offered: std::any::type_name::<T>() }
    }
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBody => f.write_str("the greenlet has nothing to run"),
            Self::Stack(error) => error.fmt(f),
            Self::WrongType { offered } => {
                write!(f, "the greenlet does not take a value of type `{offered}` now")
            }
            Self::Unwinding => {
                f.write_str("a switch was attempted while this thread unwinds, or destroys thread-locals")
            }
            Self::Abandoned => f.write_str("the greenlet refused to be unwound and is never continued"),
            Self::ThreadEnding => f.write_str("a switch was attempted while this thread ends"),
            Self::CannotUnwind => f.write_str("built with panic = \"abort\": greenlets cannot be unwound"),
            Self::OtherStorage => f.write_str(OTHER_STORAGE),
        }
    }
}

impl std::error::Error for SwitchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stack(error) => Some(error),
            _ => None,
        }
    }
}

/// Why [`Greenlet::set_parent`](super::Greenlet::set_parent) kept the old parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParentError {
    /// A thread's root greenlet has no parent, ever.
    Root,
    /// The new parent is the greenlet itself or descends from it.
    Cycle,
}

impl fmt::Display for ParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "the root greenlet of a thread cannot have a parent",
            Self::Cycle => "cyclic parent chain: the new parent is the greenlet itself or descends from it",
        })
    }
}

impl std::error::Error for ParentError {}

/// Why [`Greenlet::kill`](super::Greenlet::kill) or [`Generator::close`](super::Generator::close) did not end in a quiet
/// death.
#[derive(Debug)]
#[non_exhaustive]
pub enum KillError {
    /// The body caught [`GreenletExit`](super::GreenletExit) and switched away, or yielded: it lives.
    Refused,
    /// It is dead, but a destructor or a handler on its stack panicked with this.
    Panicked(super::Raised),
    /// The program was built with `panic = "abort"`.
    CannotUnwind,
    /// A generator was started in other thread-local storage, see [`SwitchError::OtherStorage`]: it lives.
    OtherStorage,
}

impl fmt::Display for KillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("it refused to die"),
            Self::Panicked(raised) => write!(f, "while it was being killed, {raised}"),
            Self::CannotUnwind => SwitchError::CannotUnwind.fmt(f),
            Self::OtherStorage => f.write_str(OTHER_STORAGE),
        }
    }
}

impl std::error::Error for KillError {}
