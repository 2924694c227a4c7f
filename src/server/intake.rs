//! Where a server gets its work from.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::path::Path;

use crate::net::{ListenOptions, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};

/// Where a [`Server`](super::Server) gets its work from: a listener, or a socket for datagrams. Only the
/// sockets of this crate are any.
pub trait Intake: Clone + Sized + sealed::Sealed + 'static {
    /// A piece of work: a connection and the address of its other side; or a socket to answer with, a
    /// datagram, and the address of its sender.
    type Item: 'static;
    /// Its address.
    type LocalAddr: Clone + 'static;
    /// What it takes to open it again.
    type Place: 'static;

    /// Waits for a piece of work. The buffer is the caller's, for whatever use.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn take(&self, buffer: &mut Vec<u8>) -> io::Result<Self::Item>;

    /// Where it is.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    fn place(&self) -> io::Result<Self::Place>;

    /// The address of a place.
    fn address(place: &Self::Place) -> &Self::LocalAddr;

    /// Opens it again where it was.
    ///
    /// # Errors
    ///
    /// If somebody else is there meanwhile.
    fn open(place: &Self::Place) -> io::Result<Self>;

    /// Closes it under who waits for it.
    ///
    /// # Errors
    ///
    /// If it stays open, for want of descriptors.
    fn close(&self) -> io::Result<()>;
}

mod sealed {
    use crate::net::{TcpListener, UdpSocket, UnixListener};

    pub trait Sealed {}

    impl Sealed for TcpListener {}
    impl Sealed for UnixListener {}
    impl Sealed for UdpSocket {}
}

impl Intake for TcpListener {
    type Item = (TcpStream, SocketAddr);
    type LocalAddr = SocketAddr;
    type Place = (SocketAddr, ListenOptions);

    fn take(&self, _: &mut Vec<u8>) -> io::Result<Self::Item> {
        self.accept()
    }

    fn place(&self) -> io::Result<Self::Place> {
        Ok((self.local_addr()?, Self::options().reuse_port(self.reuse_port()?)))
    }

    fn address((address, _): &Self::Place) -> &SocketAddr {
        address
    }

    fn open((address, options): &Self::Place) -> io::Result<Self> {
        options.bind(address)
    }

    fn close(&self) -> io::Result<()> {
        self.close()
    }
}

impl Intake for UnixListener {
    type Item = (UnixStream, UnixAddr);
    type LocalAddr = UnixAddr;
    type Place = UnixAddr;

    fn take(&self, _: &mut Vec<u8>) -> io::Result<Self::Item> {
        self.accept()
    }

    fn place(&self) -> io::Result<Self::Place> {
        self.local_addr()
    }

    fn address(place: &UnixAddr) -> &UnixAddr {
        place
    }

    fn open(place: &UnixAddr) -> io::Result<Self> {
        match (Self::bind_addr(place), place.as_pathname()) {
            (Err(error), Some(path)) if error.kind() == io::ErrorKind::AddrInUse && is_left(place, path) => {
                std::fs::remove_file(path)?;
                Self::bind_addr(place)
            }
            (result, _) => result,
        }
    }

    fn close(&self) -> io::Result<()> {
        self.close()
    }
}

/// Whether a socket was left behind at the path, and nobody listens there. Who connects to a file that is none is
/// refused as well.
fn is_left(place: &UnixAddr, path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && UnixStream::is_refused_at(place)
}

impl Intake for UdpSocket {
    type Item = (UdpSocket, Vec<u8>, SocketAddr);
    type LocalAddr = SocketAddr;
    type Place = SocketAddr;

    fn take(&self, buffer: &mut Vec<u8>) -> io::Result<Self::Item> {
        /// No datagram is longer.
        const LONGEST: usize = 1 << 16;
        buffer.resize(LONGEST, 0);
        let (len, from) = self.recv_from(buffer)?;
        Ok((self.clone(), buffer[..len].to_vec(), from))
    }

    fn place(&self) -> io::Result<Self::Place> {
        self.local_addr()
    }

    fn address(place: &SocketAddr) -> &SocketAddr {
        place
    }

    fn open(place: &SocketAddr) -> io::Result<Self> {
        Self::bind(place)
    }

    fn close(&self) -> io::Result<()> {
        self.close()
    }
}
