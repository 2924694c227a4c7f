//! A socket or pipe on its way to the hub of another thread.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A socket or pipe that belongs to no hub, and so can be sent to another thread; made by its method
/// `detach`. Dropped, it is closed.
///
/// ```
/// use std::io::{Read, Write};
/// use greenlet::hub;
/// use greenlet::net::UnixStream;
/// use greenlet::threads::Event;
///
/// static DONE: Event = Event::new();
///
/// # fn main() -> std::io::Result<()> {
/// let hubs = hub::run_on(1, |_| DONE.wait())?;
/// let (mut ours, theirs) = UnixStream::pair()?;
/// let theirs = theirs.detach()?;
/// let greet = move || theirs.attach().and_then(|mut stream| stream.write_all(b"hello")).unwrap();
/// hubs.handles()[0].spawn(greet).unwrap();
/// let mut greeting = String::new();
/// ours.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// DONE.set();
/// hubs.join();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it is closed"]
pub struct Detached<T> {
    fd: OwnedFd,
    /// What it is made into: nothing of it is here.
    becomes: PhantomData<fn() -> T>,
}

impl<T> Detached<T> {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, becomes: PhantomData }
    }
}

impl<T: TryFrom<OwnedFd, Error = io::Error>> Detached<T> {
    /// Makes it what it was, for the hub of this thread.
    ///
    /// # Errors
    ///
    /// If the system does not set the mode that it needs. Then it is closed.
    pub fn attach(self) -> io::Result<T> {
        self.fd.try_into()
    }
}

impl<T> AsFd for Detached<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<T> From<Detached<T>> for OwnedFd {
    fn from(detached: Detached<T>) -> Self {
        detached.fd
    }
}
