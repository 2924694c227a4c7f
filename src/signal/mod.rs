//! Floor 5: signals, received by greenlets.
//!
//! The handler that the system calls does nothing but count and wake: whatever is to be done on a
//! signal is done by a greenlet, which may lock, allocate and wait. The action that a signal had before
//! is back when the last one who listens to it is gone.
//!
//! How else a wait for one may end: [Waiting](crate::hub#waiting).

mod action;
mod bells;
mod handler;
mod signals;

/// The numbers of signals, as the C library has them.
pub use libc::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
    SIGUSR1, SIGUSR2, SIGWINCH,
};

pub use self::handler::{Handler, handle};
pub use self::signals::{Signals, wait};
