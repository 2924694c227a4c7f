//! What stands in for a descriptor that is closed under its users.
//!
//! Closing the number itself would let the system hand it out again while somebody still holds it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

/// A socket that was never connected: reading, writing and accepting are errors. Made once, so that
/// closing descriptors works when there are none left.
pub(super) fn descriptor() -> io::Result<RawFd> {
    static DEAD: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(dead) = DEAD.get() {
        return Ok(dead.as_raw_fd());
    }
    // SAFETY: makes a descriptor of our own.
    let fd = check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) })?;
    // SAFETY: just made.
    let dead = unsafe { OwnedFd::from_raw_fd(fd) };
    set_close_on_exec(fd)?;
    Ok(DEAD.get_or_init(|| dead).as_raw_fd())
}

/// Puts `dead` in the place of `fd`, whose description is closed by that.
pub(super) fn replace(fd: RawFd, dead: RawFd) -> io::Result<()> {
    // SAFETY: the caller owns `fd`, and nobody is promised more than that it is open.
    check(unsafe { libc::dup2(dead, fd) })?;
    set_close_on_exec(fd)
}

fn set_close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }).map(drop)
}

/// The result of a call that says -1 for an error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
