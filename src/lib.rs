//! greenlet
mod arch;
mod greenlet;
mod report;
mod stack;

pub use crate::greenlet::{
    Builder, Greenlet, GreenletExit, KillError, ParentError, Raised, State, SwitchError, trim_stacks,
};
pub use crate::report::{Report, set_report_hook};
pub use crate::stack::{DEFAULT_STACK_SIZE, MIN_STACK_SIZE, StackError};
