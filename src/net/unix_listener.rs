//! A Unix socket that accepts connections.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use super::options::BACKLOG;
use super::{UnixStream, socket, sys};
use crate::hub::SourceRef;
use crate::os::descriptor;

/// A Unix socket that accepts connections, with the methods of
/// [`std::os::unix::net::UnixListener`], on which only the calling greenlet waits.
///
/// Like std's it leaves its file behind, which has to be removed before the path can be bound again.
///
/// ```
/// use std::io::{Read, Write};
/// use greenlet::net::{UnixListener, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("greenlet-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("socket");
/// let listener = UnixListener::bind(&path)?;
/// let mut client = UnixStream::connect(&path)?;
/// let (mut server, _) = listener.accept()?;
/// client.write_all(b"x")?;
/// server.read_exact(&mut [0])?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UnixListener {
    source: SourceRef,
}

// To accept cannot be asked not to block.
descriptor!(UnixListener, std::os::unix::net::UnixListener, "listener", true);

impl UnixListener {
    /// Listens at a path, where a file is made.
    ///
    /// # Errors
    ///
    /// If there is such a file already, or the system refuses otherwise.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind_addr(address)?;
        sys::listen(listener.as_raw_fd(), BACKLOG)?;
        listener.try_into()
    }

    /// Waits for a connection; returns it with the address of the other side. One a round, as
    /// [`TcpListener::accept`](super::TcpListener::accept). Where that is a path too long for std's type, it is given
    /// as no name.
    ///
    /// # Errors
    ///
    /// If the system has one and cannot hand it out, such as for want of file descriptors. The next
    /// call tries again at once; who loops must pause.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (fd, address) = socket::accept(&self.source)?;
        Ok((UnixStream::accepted(fd), address.try_into()?))
    }

    /// The connections as they come, without end.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
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

/// The connections of a [`UnixListener`], without end.
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}
