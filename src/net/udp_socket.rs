//! A UDP socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::addr::try_each;
use super::socket::timeouts;
use super::{ToSocketAddrs, socket, sys};
use crate::hub::SourceRef;
use crate::os::descriptor;

/// A UDP socket with the methods of [`std::net::UdpSocket`], on which only the calling greenlet waits.
///
/// A datagram that is longer than the buffer is cut off, and its rest is lost, as everywhere.
///
/// ```
/// use greenlet::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?;
/// drop(greenlet::spawn(move || {
///     let mut buffer = [0; 64];
///     let (len, from) = server.recv_from(&mut buffer)?;
///     server.send_to(&buffer[..len], from)
/// }));
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"echo", address)?;
/// let mut buffer = [0; 64];
/// assert_eq!(client.recv_from(&mut buffer)?, (4, address));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UdpSocket {
    source: SourceRef,
}

descriptor!(UdpSocket, std::net::UdpSocket, "UDP socket", sys::NEEDS_NONBLOCKING);
timeouts!(UdpSocket, "receiving", "sending");

impl UdpSocket {
    /// Binds to the first of the addresses that can be had; port 0 means any free port.
    ///
    /// # Errors
    ///
    /// If none can be had: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn bind(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        try_each(addresses, std::net::UdpSocket::bind)?.try_into()
    }

    /// Sets where [`send`](Self::send) sends to, and from where alone datagrams are received: the first
    /// of the addresses that the system accepts.
    ///
    /// # Errors
    ///
    /// If it accepts none: the last one's error; or if a name does not resolve.
    #[track_caller]
    pub fn connect(&self, addresses: impl ToSocketAddrs) -> io::Result<()> {
        try_each(addresses, |address| self.std().connect(address))
    }

    /// Waits for a datagram; returns its length, or the buffer's if that is shorter, and where it
    /// comes from.
    ///
    /// # Errors
    ///
    /// If the timeout is over; or an error that the socket has run into, such as that nobody listens
    /// where it is connected to.
    #[track_caller]
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket::receive_from(&self.source, buffer, 0)
    }

    /// As [`recv_from`](Self::recv_from), but leaves the datagram for the next call.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket::receive_from(&self.source, buffer, libc::MSG_PEEK)
    }

    /// Waits for a datagram from where the socket is connected to; returns its length, or the buffer's
    /// if that is shorter.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.source, buffer, 0)
    }

    /// As [`recv`](Self::recv), but leaves the datagram for the next call.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        socket::receive(&self.source, buffer, libc::MSG_PEEK)
    }

    /// Sends a datagram to the first of the addresses, as std does.
    ///
    /// # Errors
    ///
    /// If there is no address, the timeout is over, or the system refuses, such as a datagram that is
    /// too long.
    #[track_caller]
    pub fn send_to(&self, datagram: &[u8], addresses: impl ToSocketAddrs) -> io::Result<usize> {
        match addresses.to_socket_addrs()?.first() {
            Some(&address) => socket::send_to(&self.source, datagram, &address.into()),
            None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to send to")),
        }
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

    /// Fetches and clears the error that the socket has run into by itself (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }

    /// Whether datagrams may be sent to a broadcast address (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.std().set_broadcast(broadcast)
    }

    /// Whether datagrams may be sent to a broadcast address (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.std().broadcast()
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

    /// Sets the hop limit of packets to a group (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.std().set_multicast_ttl_v4(ttl)
    }

    /// The hop limit of packets to a group (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.std().multicast_ttl_v4()
    }

    /// Whether this host gets what is sent to a group from here (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.std().set_multicast_loop_v4(on)
    }

    /// Whether this host gets what is sent to a group from here (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.std().multicast_loop_v4()
    }

    /// Whether this host gets what is sent to a group from here (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.std().set_multicast_loop_v6(on)
    }

    /// Whether this host gets what is sent to a group from here (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.std().multicast_loop_v6()
    }

    /// Receives what is sent to a group, on the interface with this address (`IP_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.std().join_multicast_v4(group, interface)
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4) (`IP_DROP_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.std().leave_multicast_v4(group, interface)
    }

    /// Receives what is sent to a group, on the interface of this number (`IPV6_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.std().join_multicast_v6(group, interface)
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6) (`IPV6_DROP_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.std().leave_multicast_v6(group, interface)
    }
}
