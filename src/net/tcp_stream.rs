//! A TCP connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::socket::timeouts;
use super::{ConnectOptions, ToSocketAddrs, socket, sys};
use crate::hub::{Source, SourceRef};
use crate::os::{descriptor, reads, writes};

/// A TCP connection with the methods of [`std::net::TcpStream`], on which only the calling greenlet
/// waits.
///
/// A reference reads and writes as well, and clones are handles to the same connection, so one
/// greenlet may read while another writes. Several may even wait in the same direction.
///
/// ```
/// use std::io::{Read, Write};
/// use greenlet::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let server = greenlet::spawn(move || -> std::io::Result<()> {
///     let (mut stream, _) = listener.accept()?;
///     stream.write_all(b"hello")
/// });
/// let mut greeting = String::new();
/// TcpStream::connect(address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// server.join().unwrap()
/// # }
/// ```
#[derive(Clone)]
pub struct TcpStream {
    source: SourceRef,
}

descriptor!(TcpStream, std::net::TcpStream, "connection", sys::NEEDS_NONBLOCKING);
timeouts!(TcpStream, "a read", "a write");
reads!(TcpStream);
writes!(TcpStream);

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    ///
    /// If none does: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn connect(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        Self::options().connect(addresses)
    }

    /// Connects to one address, waiting for at most `timeout`. For several,
    /// see [`ConnectOptions::timeout`].
    ///
    /// # Errors
    ///
    /// If there is no connection, or none within that time.
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        Self::options().timeout(timeout).connect(address)
    }

    /// Connects in a way that can be chosen.
    pub fn options() -> ConnectOptions {
        ConnectOptions::new()
    }

    pub(super) fn connected(source: SourceRef) -> Self {
        Self { source }
    }

    /// A connection in the mode in which [`sys::accept`] returns it.
    pub(super) fn accepted(fd: OwnedFd) -> Self {
        Self { source: Source::new(fd) }
    }

    #[track_caller]
    #[inline]
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::read(&self.source, buffer)
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

    /// Receives without taking it out what a read would return.
    ///
    /// # Errors
    ///
    /// As for reading.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.source, buffer, libc::MSG_PEEK)
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
}
