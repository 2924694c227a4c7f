//! A connection between processes of one machine.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::socket::timeouts;
use super::{socket, sys};
use crate::hub::{Source, SourceRef};
use crate::os::{descriptor, reads, writes};

/// A connection between processes of one machine, with the methods of
/// [`std::os::unix::net::UnixStream`], on which only the calling greenlet waits.
///
/// Like a [`TcpStream`](super::TcpStream) it can be used by reference and by several greenlets.
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use greenlet::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (a, mut b) = UnixStream::pair()?;
/// let reader = greenlet::spawn(move || BufReader::new(a).lines().collect::<Result<Vec<_>, _>>());
/// b.write_all(b"one\ntwo\n")?;
/// drop(b);
/// assert_eq!(reader.join().unwrap()?, ["one", "two"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UnixStream {
    source: SourceRef,
}

descriptor!(UnixStream, std::os::unix::net::UnixStream, "connection", sys::NEEDS_NONBLOCKING);
timeouts!(UnixStream, "a read", "a write");
reads!(UnixStream);
writes!(UnixStream);

impl UnixStream {
    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// If the process or the system is out of descriptors.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((one.try_into()?, other.try_into()?))
    }

    /// Connects to whoever listens at a path. Waits while the listener's queue is full; since the
    /// system does not tell when there is room again, it is asked at growing intervals.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to whoever listens at an address, see [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        let socket = sys::stream_socket(libc::AF_UNIX)?;
        socket::connect(socket, &address.try_into()?, None).map(|source| Self { source })
    }

    /// Whether nobody listens at the address. Does not wait: if the queue there is full, somebody does.
    pub(crate) fn is_refused_at(address: &SocketAddr) -> bool {
        let connect = || {
            let socket = sys::stream_socket(libc::AF_UNIX)?;
            sys::connect(socket.as_raw_fd(), &address.try_into()?)
        };
        connect().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// A connection in the mode in which [`sys::accept`] returns it.
    pub(super) fn accepted(fd: OwnedFd) -> Self {
        Self { source: Source::new(fd) }
    }

    #[track_caller]
    #[inline]
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // Less than was asked for is not all: a read stops behind data that came with descriptors.
        socket::receive(&self.source, buffer, 0)
    }

    #[track_caller]
    fn receive_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        socket::receive_vectored(&self.source, buffers)
    }

    #[track_caller]
    #[inline]
    fn transmit(&self, buffer: &[u8]) -> io::Result<usize> {
        socket::write(&self.source, buffer)
    }

    #[track_caller]
    fn transmit_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        socket::send_vectored(&self.source, buffers)
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

    /// Fetches and clears the error that the connection has run into by itself (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }
}
