//! Floor 5: child processes, for which only the calling greenlet waits.
//!
//! A child is waited for through a descriptor that becomes readable when it ends. No signal is
//! involved, so nobody else's children are touched, and any thread may wait.

mod child;
mod command;
mod exit;

pub use std::process::{ExitStatus, Output, Stdio};

pub use self::child::Child;
pub use self::command::Command;
