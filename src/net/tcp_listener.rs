//! A TCP socket that accepts connections.

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::rc::Rc;

use super::addr::try_each;
use super::{TcpStream, ToSocketAddrs, sys};
use crate::hub::{Direction, Source};

/// How many connections may wait to be accepted, where the system allows that many.
const BACKLOG: i32 = 4096;

/// A TCP socket that accepts connections, with the methods of [`std::net::TcpListener`], on which
/// only the calling greenlet waits.
///
/// ```
/// use greenlet::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind(("127.0.0.1", 0))?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, address) = listener.accept()?;
/// assert_eq!(address, client.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TcpListener {
    source: Rc<Source>,
}

impl TcpListener {
    /// Listens at the first of the addresses that can be had; port 0 means any free port.
    ///
    /// # Errors
    ///
    /// If none can be had: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn bind(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = try_each(addresses, std::net::TcpListener::bind)?;
        sys::listen(listener.as_raw_fd(), BACKLOG)?;
        Self::from_std(listener)
    }

    /// Waits for a connection; returns it with the address of the other side.
    ///
    /// # Errors
    ///
    /// If the system has one and cannot hand it out, such as for want of file descriptors.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, address) = self.source.perform(Direction::Read, "a connection", sys::accept)?;
        Ok((TcpStream::from_nonblocking(fd), address))
    }

    /// The connections as they come, without end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Takes over a listener of std's.
    ///
    /// # Errors
    ///
    /// If it cannot be set to non-blocking mode.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { source: Source::new(listener.into()) })
    }

    /// Gives the listener back to std, in blocking mode.
    ///
    /// # Errors
    ///
    /// If other handles to it exist, or the mode cannot be set.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        let source = Rc::into_inner(self.source)
            .ok_or_else(|| io::Error::other("other handles to this listener exist"))?;
        let listener = std::net::TcpListener::from(source.into_fd());
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    /// Another handle to the same listener. The descriptor is shared, not duplicated.
    ///
    /// # Errors
    ///
    /// None; the result is for likeness with std.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        // SAFETY: the descriptor is open while `self` is, and the view never closes it.
        let view = ManuallyDrop::new(unsafe { std::net::TcpListener::from_raw_fd(self.as_raw_fd()) });
        view.local_addr()
    }
}

/// The connections of a [`TcpListener`], without end.
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("addr", &self.local_addr()).finish()
    }
}
