//! Floor 5: names and addresses, looked up while only the caller waits.
//!
//! The system's resolver answers, on a thread of the [shared pool](crate::pool::ThreadPool::shared), so
//! that an answer is the same as everybody else's: `/etc/hosts`, `nsswitch.conf` and all. Many lookups go on at
//! once. What is an address already is no work for anybody.

mod reverse;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::pool::ThreadPool;

pub use self::reverse::reverse;

/// The addresses of `host`, in the order in which the system prefers them (Python's `getaddrinfo`).
///
/// A literal address is answered at once, even while all threads of the pool are busy.
///
/// # Errors
///
/// If the name does not resolve; or in a destructor while the greenlet unwinds, where nothing can be
/// waited for.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// assert_eq!(greenlet::dns::lookup("127.0.0.1").unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
/// assert_eq!(greenlet::dns::lookup("[::1]").unwrap().len(), 1);
///
/// let names = ["localhost", "localhost"];
/// let tasks = names.map(|name| greenlet::spawn(move || greenlet::dns::lookup(name)));
/// for task in tasks {
///     assert!(task.join().unwrap().unwrap().iter().all(IpAddr::is_loopback));
/// }
/// ```
#[track_caller]
pub fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut ips: Vec<_> = addresses(host, 0)?.iter().map(SocketAddr::ip).collect();
    // Those of different networks may be the same.
    ips.dedup();
    Ok(ips)
}

/// As [`lookup`], with a port, and with the network that an address belongs to where its name says so
/// (`fe80::1%eth0`).
#[track_caller]
pub(crate) fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let found = in_pool(move || Ok((name.as_str(), port).to_socket_addrs()?.collect::<Vec<_>>()));
    let mut addresses = found.map_err(|error| io::Error::new(error.kind(), format!("{host}: {error}")))?;
    // The resolver answers once per kind of socket.
    addresses.dedup();
    Ok(addresses)
}

/// Has a thread of the pool do what blocks.
#[track_caller]
fn in_pool<R: Send + 'static>(ask: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<R> {
    ThreadPool::shared().run(ask)?
}
