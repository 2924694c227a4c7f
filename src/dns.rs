//! Floor 4: name lookups that make only their caller wait.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::pool::ThreadPool;

/// The addresses of `host`, in the order in which the system prefers them.
///
/// A literal address is answered at once; a name is looked up by the system's resolver on a thread
/// of the [shared pool](ThreadPool::shared).
///
/// # Errors
///
/// If the name does not resolve.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// assert_eq!(greenlet::dns::lookup("127.0.0.1").unwrap(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
/// assert_eq!(greenlet::dns::lookup("[::1]").unwrap().len(), 1);
/// ```
#[track_caller]
pub fn lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse() {
        return Ok(vec![address]);
    }
    let name = host.to_owned();
    let found = ThreadPool::shared().run(move || -> io::Result<Vec<IpAddr>> {
        Ok((name.as_str(), 0).to_socket_addrs()?.map(|address: SocketAddr| address.ip()).collect())
    })?;
    let mut addresses = found.map_err(|error| io::Error::new(error.kind(), format!("{host}: {error}")))?;
    // The resolver answers once per kind of socket.
    addresses.dedup();
    Ok(addresses)
}
