//! Datagrams between processes of one machine.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::patience::retry;
use super::socket::timeouts;
use super::{socket, sys};
use crate::hub::{Direction, SourceRef};
use crate::os::descriptor;
use crate::time::deadline;

/// A Unix socket for datagrams, with the methods of [`std::os::unix::net::UnixDatagram`], on which only
/// the calling greenlet waits.
///
/// A datagram that is longer than the buffer is cut off, and its rest is lost, as everywhere.
///
/// ```
/// use greenlet::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// let (a, b) = UnixDatagram::pair()?;
/// drop(greenlet::spawn(move || b.send(b"one message")));
/// let mut buffer = [0; 64];
/// assert_eq!(a.recv(&mut buffer)?, 11);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UnixDatagram {
    source: SourceRef,
}

descriptor!(UnixDatagram, std::os::unix::net::UnixDatagram, "datagram socket", sys::NEEDS_NONBLOCKING);
timeouts!(UnixDatagram, "receiving", "sending");

impl UnixDatagram {
    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// If the process or the system is out of descriptors.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((one.try_into()?, other.try_into()?))
    }

    /// A socket that can only send, and be connected.
    ///
    /// # Errors
    ///
    /// If the process or the system is out of descriptors.
    pub fn unbound() -> io::Result<Self> {
        std::os::unix::net::UnixDatagram::unbound()?.try_into()
    }

    /// A socket that receives at a path, where a file is made.
    ///
    /// # Errors
    ///
    /// If there is such a file already, or the system refuses otherwise.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        std::os::unix::net::UnixDatagram::bind(path)?.try_into()
    }

    /// A socket that receives at an address.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        std::os::unix::net::UnixDatagram::bind_addr(address)?.try_into()
    }

    /// Sets where [`send`](Self::send) sends to, and from where alone datagrams are received.
    ///
    /// # Errors
    ///
    /// If nobody receives there.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.std().connect(path)
    }

    /// As [`connect`](Self::connect), to an address.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.std().connect_addr(address)
    }

    /// Waits for a datagram; returns its length, or the buffer's if that is shorter, and where it
    /// comes from. A path too long for std's type is given as no name.
    ///
    /// # Errors
    ///
    /// If the timeout is over, or the system refuses.
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket::receive_from(&self.source, buffer, 0)
    }

    /// Waits for a datagram; returns its length, or the buffer's if that is shorter.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.source, buffer, 0)
    }

    /// Sends a datagram to whoever receives at a path. Waits while that one's queue is full; since the
    /// system does not tell when there is room again, it is asked at growing intervals.
    ///
    /// # Errors
    ///
    /// If nobody receives there, the timeout is over, or the system refuses.
    #[track_caller]
    pub fn send_to(&self, datagram: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.send_to_addr(datagram, &SocketAddr::from_pathname(path)?)
    }

    /// As [`send_to`](Self::send_to), to an address.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn send_to_addr(&self, datagram: &[u8], address: &SocketAddr) -> io::Result<usize> {
        let address = address.try_into()?;
        let until = deadline(self.source.timeout(Direction::Write));
        retry(until, "room in the queue of a receiver", || {
            // Each time: it may have been closed meanwhile.
            self.source.check_open()?;
            sys::send_to(self.source.raw_fd(), datagram, &address)
        })
    }

    /// Sends a datagram to where the socket is connected to.
    ///
    /// # Errors
    ///
    /// If it is not connected, the timeout is over, or the system refuses.
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        socket::send(&self.source, datagram)
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
    }

    /// Where the socket is connected to.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.std().peer_addr()
    }

    /// Ends receiving, sending or both. Greenlets that wait to receive get 0.
    ///
    /// # Errors
    ///
    /// If the socket is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.std().shutdown(how)
    }

    /// Fetches and clears the error that the socket has run into by itself (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }
}
