//! A TCP socket that accepts connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::{ListenOptions, TcpStream, ToSocketAddrs, socket, sys};
use crate::hub::{Source, SourceRef};
use crate::os::{Detached, descriptor};

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
    source: SourceRef,
}

// To accept cannot be asked not to block.
descriptor!(TcpListener, std::net::TcpListener, "listener", true);

impl TcpListener {
    /// Listens at the first of the addresses that can be had; port 0 means any free port.
    ///
    /// # Errors
    ///
    /// If none can be had: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn bind(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        Self::options().bind(addresses)
    }

    /// One that listens already, in non-blocking mode.
    pub(super) fn listening(fd: OwnedFd) -> Self {
        Self { source: Source::new(fd) }
    }

    /// Listens in a way that can be chosen.
    pub fn options() -> ListenOptions {
        ListenOptions::new()
    }

    /// Whether others may listen at the same port.
    pub(crate) fn reuse_port(&self) -> io::Result<bool> {
        Ok(sys::option(self.source.raw_fd(), libc::SO_REUSEPORT)? != 0)
    }

    /// Waits for a connection; returns it with the address of the other side.
    ///
    /// Each round of the hub takes one: before the next is taken, greenlets that are ready run, and
    /// other processes that share the listener have their chance.
    ///
    /// # Errors
    ///
    /// If the system has one and cannot hand it out, such as for want of file descriptors. The next
    /// call tries again at once; who loops must pause.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, address) = socket::accept(&self.source)?;
        Ok((TcpStream::accepted(fd), address.try_into()?))
    }

    /// The connections as they come, without end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
    }

    /// Sets the hop limit of packets (`IP_TTL`), also for the connections that are accepted.
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

    /// Fetches and clears the error that the listener has run into by itself (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }
}

impl Detached<TcpListener> {
    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::local_address(self.as_fd().as_raw_fd())?.try_into()
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
