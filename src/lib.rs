//! greenlet
mod arch;
mod greenlet;
mod report;
mod stack;

#[cfg(feature = "hub")]
pub mod dns;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hub")]
pub mod net;
#[cfg(feature = "hub")]
pub mod pool;
#[cfg(feature = "hub")]
pub mod queue;
#[cfg(feature = "hub")]
pub mod sync;
#[cfg(feature = "hub")]
mod task;
#[cfg(feature = "hub")]
mod time;
#[cfg(feature = "hub")]
mod timeout;

pub use crate::greenlet::{
    Builder, Greenlet, GreenletExit, KillError, ParentError, Raised, State, SwitchError, trim_stacks,
};
pub use crate::report::{Report, ReportKind, set_report_hook};
pub use crate::stack::{DEFAULT_STACK_SIZE, MIN_STACK_SIZE, StackError};
#[cfg(feature = "hub")]
pub use crate::task::{GreenThread, TaskError, join_all, sleep, sleep_until, spawn, spawn_later, yield_now};
#[cfg(feature = "hub")]
pub use crate::timeout::{TimeoutError, with_timeout};
