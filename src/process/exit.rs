//! How one learns of the end of a process: from a descriptor that becomes readable then, or from a thread.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::hub;
use crate::os::fd::wait_readable;
use crate::threads::Event;

/// What tells of the end of a child of this process.
#[derive(Debug)]
pub(super) enum Exit {
    /// The descriptor becomes readable.
    Told(OwnedFd),
    /// A thread sets the event.
    Watched(Arc<Event>),
    /// It is over already.
    Past,
}

impl Exit {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let pid = pid.try_into().map_err(io::Error::other)?;
        match system::exit_fd(pid) {
            Ok(fd) => Ok(Self::Told(fd)),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(Self::Past),
            // An old system, one that forbids it, or one that is out of descriptors.
            Err(_) => by_thread(pid).map(Self::Watched),
        }
    }

    /// Waits until it has come, or until `until`. Whether it has.
    #[track_caller]
    pub(super) fn wait(&self, until: Option<Instant>) -> io::Result<bool> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match self {
            Self::Told(fd) => match wait_readable(fd, left) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
                result => result.map(|()| true),
            },
            Self::Watched(ended) => {
                if !ended.is_set() {
                    hub::check_may_wait()?;
                }
                match left {
                    Some(left) => Ok(ended.wait_timeout(left)),
                    None => {
                        ended.wait();
                        Ok(true)
                    }
                }
            }
            Self::Past => Ok(true),
        }
    }
}

/// Linux 5.3: a descriptor of the process itself.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io;
    use std::os::fd::{FromRawFd, OwnedFd};

    pub(super) fn exit_fd(pid: libc::pid_t) -> io::Result<OwnedFd> {
        // SAFETY: takes no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: just made.
        if fd == -1 { Err(io::Error::last_os_error()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
    }
}

/// macOS and the BSDs: a kqueue that watches nothing but the process.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "openbsd", target_os = "netbsd"))]
mod system {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::ptr;

    pub(super) fn exit_fd(pid: libc::pid_t) -> io::Result<OwnedFd> {
        // SAFETY: makes a descriptor of our own, which a child does not inherit.
        let queue = match unsafe { libc::kqueue() } {
            -1 => return Err(io::Error::last_os_error()),
            // SAFETY: just made.
            queue => unsafe { OwnedFd::from_raw_fd(queue) },
        };
        // SAFETY: all zeroes is a valid event.
        let mut event: libc::kevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.ident = pid as _;
        event.filter = libc::EVFILT_PROC as _;
        event.flags = libc::EV_ADD as _;
        event.fflags = libc::NOTE_EXIT as _;
        // SAFETY: one change is read, and no event is asked for.
        match unsafe { libc::kevent(queue.as_raw_fd(), &event, 1, ptr::null_mut(), 0, ptr::null()) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(queue),
        }
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd"
)))]
mod system {
    use std::io;
    use std::os::fd::OwnedFd;

    pub(super) fn exit_fd(_: libc::pid_t) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Everywhere: a thread that waits, and then sets the event. It takes no descriptor, and leaves the process to
/// be waited for once more.
fn by_thread(pid: libc::pid_t) -> io::Result<Arc<Event>> {
    let ended = Arc::new(Event::new());
    let tells = ended.clone();
    let wait = move || {
        // Until it has ended, or cannot be waited for.
        while wait_and_leave(pid).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
        tells.set();
    };
    std::thread::Builder::new().name("greenlet-wait".into()).spawn(wait)?;
    Ok(ended)
}

fn wait_and_leave(pid: libc::pid_t) -> io::Result<()> {
    // SAFETY: no more is written than the information, which nobody reads.
    let result = unsafe {
        let mut info = std::mem::zeroed();
        libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, libc::WEXITED | libc::WNOWAIT)
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{Exit, by_thread};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_tells_of_the_end_of_a_process_and_leaves_it_to_be_waited_for() {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let exit = Exit::Watched(by_thread(cat.id() as libc::pid_t).unwrap());
        assert!(!exit.wait(Some(Instant::now() + Duration::from_millis(5))).unwrap(), "it runs");
        drop(cat.stdin.take());
        assert!(exit.wait(None).unwrap());
        assert!(cat.try_wait().unwrap().unwrap().success());
    }
}
