//! Waiting for any descriptor.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Interest, PollFd, poll};

/// Waits until a read from the descriptor would not block, for at most `timeout` if there is one
/// (gevent's `wait_read`, eventlet's `trampoline`).
///
/// It may be a descriptor of anything, in either mode, which stays as it is. One that the system
/// always calls ready, such as a regular file's, is ready at once. Several greenlets may wait for the
/// same one; all of them wake, and the first to read gets what is there.
///
/// # Errors
///
/// [`TimedOut`](io::ErrorKind::TimedOut); whatever the system says; or in a destructor while the greenlet
/// unwinds, where nothing can be waited for.
///
/// ```
/// use std::io::{Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let (mut reader, mut writer) = std::io::pipe()?; // std's own, whose read would block the thread
/// drop(greenlet::spawn(move || writer.write_all(b"x")));
/// greenlet::os::fd::wait_readable(&reader, None)?;
/// assert_eq!(reader.read(&mut [0; 8])?, 1);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn wait_readable(fd: &impl AsFd, timeout: Option<Duration>) -> io::Result<()> {
    wait(PollFd::new(fd, Interest::Read), timeout)
}

/// Waits until a write to the descriptor would not block; see [`wait_readable`].
///
/// # Errors
///
/// As there.
#[track_caller]
pub fn wait_writable(fd: &impl AsFd, timeout: Option<Duration>) -> io::Result<()> {
    wait(PollFd::new(fd, Interest::Write), timeout)
}

#[track_caller]
fn wait(mut fd: PollFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    match poll(std::slice::from_mut(&mut fd), timeout)? {
        0 => Err(io::Error::new(io::ErrorKind::TimedOut, "timed out")),
        _ => Ok(()),
    }
}
