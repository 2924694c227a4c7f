//! A TCP connection.

use std::fmt;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use super::ToSocketAddrs;
use super::addr::try_each;
use super::sys;
use crate::hub::{Direction, Source};

/// A TCP connection with the methods of [`std::net::TcpStream`], on which only the calling greenlet
/// waits.
///
/// Several greenlets may use one connection, through shared references or clones: one reads while
/// another writes. A timeout that is over is an error of kind [`TimedOut`](io::ErrorKind::TimedOut)
/// on every system.
///
/// ```
/// use std::io::{Read, Write};
/// use greenlet::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let server = greenlet::spawn(move || -> std::io::Result<()> {
///     let (mut connection, _) = listener.accept()?;
///     connection.write_all(b"hello")
/// });
/// let mut greeting = String::new();
/// TcpStream::connect(address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// server.join().unwrap()
/// # }
/// ```
#[derive(Clone)]
pub struct TcpStream {
    source: Rc<Source>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    ///
    /// If none does: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn connect(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        try_each(addresses, |address| Self::connect_within(address, None))
    }

    /// Connects to one address, waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// If there is no connection, or none within that time.
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        if timeout.is_zero() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout cannot be zero"));
        }
        Self::connect_within(*address, Some(timeout))
    }

    #[track_caller]
    fn connect_within(address: SocketAddr, timeout: Option<Duration>) -> io::Result<Self> {
        let stream = Self { source: Source::new(sys::stream_socket(address)?) };
        if !sys::connect(stream.as_raw_fd(), address)? {
            stream.source.note_blocked(Direction::Write);
            stream.source.perform_within(Direction::Write, timeout, "a connection to be made", |_| {
                stream.check_connected()
            })?;
        }
        Ok(stream)
    }

    /// Whether a connection that was begun is made; `WouldBlock` if that is still open.
    fn check_connected(&self) -> io::Result<()> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => result.map(drop),
        }
    }

    /// A connection that was accepted, or begun elsewhere; in non-blocking mode.
    pub(super) fn from_nonblocking(fd: OwnedFd) -> Self {
        Self { source: Source::new(fd) }
    }

    /// Takes over a connection of std's.
    ///
    /// # Errors
    ///
    /// If it cannot be set to non-blocking mode.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::from_nonblocking(stream.into()))
    }

    /// Gives the connection back to std, in blocking mode.
    ///
    /// # Errors
    ///
    /// If other handles to this connection exist, or the mode cannot be set.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let source = Rc::into_inner(self.source)
            .ok_or_else(|| io::Error::other("other handles to this connection exist"))?;
        let stream = std::net::TcpStream::from(source.into_fd());
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Another handle to the same connection and its timeouts. The descriptor is shared, not
    /// duplicated.
    ///
    /// # Errors
    ///
    /// None; the result is for likeness with std.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    /// Receives without taking it out what a read would return.
    ///
    /// # Errors
    ///
    /// As for reading.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source
            .perform(Direction::Read, "data from a socket", |fd| sys::receive(fd, buffer, libc::MSG_PEEK))
    }

    /// How long a read may wait; `None` for as long as it takes.
    ///
    /// # Errors
    ///
    /// If the timeout is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.source.set_timeout(Direction::Read, timeout)
    }

    /// How long a write may wait; `None` for as long as it takes.
    ///
    /// # Errors
    ///
    /// If the timeout is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.source.set_timeout(Direction::Write, timeout)
    }

    /// How long a read may wait.
    ///
    /// # Errors
    ///
    /// None; the result is for likeness with std.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.source.timeout(Direction::Read))
    }

    /// How long a write may wait.
    ///
    /// # Errors
    ///
    /// None; the result is for likeness with std.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.source.timeout(Direction::Write))
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.std().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
    }

    /// Ends reading, writing or both. Greenlets that wait in a read get 0.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.std().shutdown(how)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.std().set_nodelay(nodelay)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.std().nodelay()
    }

    /// Sets the hop limit of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.std().set_ttl(ttl)
    }

    /// The hop limit of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn ttl(&self) -> io::Result<u32> {
        self.std().ttl()
    }

    /// Fetches and clears the error that the connection has run into by itself (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }

    /// A view for the calls that never block.
    fn std(&self) -> ManuallyDrop<std::net::TcpStream> {
        // SAFETY: the descriptor is open while `self` is, and the view never closes it.
        ManuallyDrop::new(unsafe { std::net::TcpStream::from_raw_fd(self.as_raw_fd()) })
    }
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        let count =
            self.source.perform(Direction::Read, "data from a socket", |fd| sys::receive(fd, buffer, 0))?;
        if count < wanted && count > 0 {
            self.source.note_drained(Direction::Read);
        }
        Ok(count)
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.source.perform(Direction::Write, "room in a socket", |fd| sys::send(fd, buffer))?;
        if count < buffer.len() {
            self.source.note_drained(Direction::Write);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for TcpStream {
    #[inline]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std().fmt(f)
    }
}
