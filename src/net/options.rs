//! What can be chosen when one listens or connects.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::addr::try_each;
use super::{TcpListener, TcpStream, ToSocketAddrs, socket, sys};
use crate::os::{Detached, SystemAddr};
use crate::time::deadline;

/// How many connections may wait to be accepted, where the system allows that many.
pub(super) const BACKLOG: u32 = 4096;

/// Whether the system shares connections out evenly among the listeners at one port.
const SHARES_OUT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How to listen (the arguments of eventlet's `listen`); from [`TcpListener::options`].
///
/// ```
/// use greenlet::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// let one = TcpListener::options().reuse_port(true).bind("127.0.0.1:0")?;
/// let two = TcpListener::options().reuse_port(true).backlog(50).bind(one.local_addr()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options listen at nothing by themselves"]
pub struct ListenOptions {
    backlog: u32,
    reuse_port: bool,
}

impl ListenOptions {
    pub(super) fn new() -> Self {
        Self { backlog: BACKLOG, reuse_port: false }
    }

    /// How many connections may wait to be accepted. The system limits it further; 4096 unless chosen.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Whether others may listen at the same port, such that the system shares connections out
    /// (`SO_REUSEPORT`). Off unless chosen: otherwise two services could take one port unawares.
    pub fn reuse_port(mut self, reuse_port: bool) -> Self {
        self.reuse_port = reuse_port;
        self
    }

    /// Listens at the first of the addresses that can be had; port 0 means any free port. A port that
    /// an earlier process has just left can be had at once (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`].
    #[track_caller]
    pub fn bind(&self, addresses: impl ToSocketAddrs) -> io::Result<TcpListener> {
        try_each(addresses, |address| self.bind_one(address))
    }

    /// Listens for so many threads at one address, the first that can be had. Each takes a listener to its
    /// hub by [`attach`](Detached::attach), and gets a share of the connections.
    ///
    /// On Linux the listeners share the port, and the system decides at once whose a connection is: no
    /// thread is woken for another's. So a listener that nobody accepts from keeps its share waiting, and
    /// one that is closed takes with it who waits in its queue. Another process of the same user that
    /// shares the port gets a share too ([`reuse_port`](Self::reuse_port)). Elsewhere ports are not shared out evenly,
    /// and the listeners are handles to one queue.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    ///
    /// # Panics
    ///
    /// If the number of threads is zero.
    #[track_caller]
    pub fn bind_for_threads(
        &self,
        threads: usize,
        addresses: impl ToSocketAddrs,
    ) -> io::Result<Vec<Detached<TcpListener>>> {
        assert!(threads > 0, "somebody has to listen");
        let options = self.clone().reuse_port(self.reuse_port || SHARES_OUT);
        let first = options.bind(addresses)?;
        let address = first.local_addr()?;
        let mut listeners = vec![first.detach()?];
        for _ in 1..threads {
            listeners.push(if SHARES_OUT {
                options.bind_one(address)?.detach()?
            } else {
                Detached::new(listeners[0].as_fd().try_clone_to_owned()?)
            });
        }
        Ok(listeners)
    }

    fn bind_one(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let address = SystemAddr::from(address);
        // In non-blocking mode already.
        let fd = sys::stream_socket(address.family())?;
        sys::set_option(fd.as_raw_fd(), libc::SO_REUSEADDR, 1)?;
        if self.reuse_port {
            sys::set_option(fd.as_raw_fd(), libc::SO_REUSEPORT, 1)?;
        }
        sys::bind(fd.as_raw_fd(), &address)?;
        sys::listen(fd.as_raw_fd(), self.backlog)?;
        Ok(TcpListener::listening(fd))
    }
}

/// How to connect (the arguments of eventlet's `connect` and of Python's `create_connection`); from
/// [`TcpStream::options`].
///
/// ```
/// use std::time::Duration;
/// use greenlet::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let options = TcpStream::options().timeout(Duration::from_secs(10)).local(([127, 0, 0, 1], 0).into());
/// let stream = options.connect(listener.local_addr()?)?;
/// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options connect to nothing by themselves"]
pub struct ConnectOptions {
    timeout: Option<Duration>,
    local: Option<SocketAddr>,
}

impl ConnectOptions {
    pub(super) fn new() -> Self {
        Self { timeout: None, local: None }
    }

    /// How long to try at most, over all addresses together. A name lookup comes before that.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The address on this side; port 0 means any free port.
    pub fn local(mut self, address: SocketAddr) -> Self {
        self.local = Some(address);
        self
    }

    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect`]; or if the time is over, or zero from the beginning.
    #[track_caller]
    pub fn connect(&self, addresses: impl ToSocketAddrs) -> io::Result<TcpStream> {
        if self.timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout cannot be zero"));
        }
        let addresses = addresses.to_socket_addrs()?;
        let until = deadline(self.timeout);
        try_each(&*addresses, |address| self.connect_one(address, until))
    }

    #[track_caller]
    fn connect_one(&self, address: SocketAddr, until: Option<Instant>) -> io::Result<TcpStream> {
        let address = SystemAddr::from(address);
        let fd = sys::stream_socket(address.family())?;
        if let Some(local) = self.local {
            sys::bind(fd.as_raw_fd(), &local.into())?;
        }
        socket::connect(fd, &address, until).map(TcpStream::connected)
    }
}
