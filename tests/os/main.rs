//! Descriptors of any kind. Numbers are those of the statements and of the bugs in the studies of
//! gevent and eventlet that the scheduler is held to: "eventlet 72", "E14".

mod pipe;
#[cfg(target_os = "linux")]
mod pipe_linux;
mod poll;
mod shared;
mod wait;

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use greenlet::{GreenThread, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

/// A task that has run up to its first wait.
fn parked<T: 'static>(body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    let task = spawn(body);
    yield_now();
    assert!(!task.is_finished(), "it was to wait");
    task
}

fn is_timeout<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == io::ErrorKind::TimedOut
}

fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: the descriptor is open.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1);
    flags & libc::O_NONBLOCK != 0
}
