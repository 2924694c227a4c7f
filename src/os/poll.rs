//! Waiting for several descriptors at once.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::{Interest, PollFd};
use crate::hub;
use crate::time::deadline;

/// Waits until one of the descriptors is ready for what is asked of it, for at most `timeout` if
/// there is one; returns how many are ready. Each says so itself. (`poll(2)`, for a greenlet.)
///
/// The timeout is kept to the nanosecond, and one of zero only looks.
///
/// # Errors
///
/// Whatever the system says; or in a destructor while the greenlet unwinds, where nothing can be waited for.
///
/// ```
/// use std::io::Write;
/// use greenlet::net::UnixStream;
/// use greenlet::os::{Interest, PollFd, poll};
///
/// # fn main() -> std::io::Result<()> {
/// let (a, b) = UnixStream::pair()?;
/// let mut fds = [PollFd::new(&a, Interest::Read), PollFd::new(&b, Interest::ReadWrite)];
/// assert_eq!(poll(&mut fds, None)?, 1);
/// assert!(fds[1].is_writable() && !fds[1].is_readable());
///
/// (&b).write_all(b"x")?;
/// assert_eq!(poll(&mut fds, None)?, 2);
/// assert!(fds[0].is_readable());
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn poll(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    hub::poll_fds(PollFd::as_raw(fds), deadline(timeout), "a descriptor")
}

/// What [`select`] has found, as places in its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Those of `read` from which a read would not block.
    pub readable: Vec<usize>,
    /// Those of `write` to which a write would not block.
    pub writable: Vec<usize>,
}

/// Waits until one of `read` is readable or one of `write` is writable, for at most `timeout` if
/// there is one; says which all are. (`select(2)`, for a greenlet, without its limit on numbers.)
///
/// # Errors
///
/// As [`poll`].
///
/// ```
/// use std::os::fd::AsFd;
/// use greenlet::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (a, b) = UnixStream::pair()?;
/// let found = greenlet::os::select(&[a.as_fd()], &[a.as_fd(), b.as_fd()], None)?;
/// assert_eq!((found.readable, found.writable), (vec![], vec![0, 1]));
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn select(
    read: &[BorrowedFd<'_>],
    write: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<Selected> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(read.len() + write.len());
    fds.extend(read.iter().map(|fd| PollFd::new(fd, Interest::Read)));
    fds.extend(write.iter().map(|fd| PollFd::new(fd, Interest::Write)));
    poll(&mut fds, timeout)?;
    let places = |fds: &[PollFd<'_>]| {
        fds.iter().enumerate().filter(|(_, fd)| fd.is_ready()).map(|(place, _)| place).collect()
    };
    let (readable, writable) = fds.split_at(read.len());
    Ok(Selected { readable: places(readable), writable: places(writable) })
}
