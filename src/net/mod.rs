//! Floor 5: sockets with std's methods, on which only the calling greenlet waits.
//!
//! Each operation is tried at once, and its greenlet waits only if it would block. The types
//! belong to the thread that made them, whose hub watches them; their descriptors can be moved
//! elsewhere through [`OwnedFd`](std::os::fd::OwnedFd).

mod addr;
mod options;
mod patience;
mod socket;
mod sys;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use addr::ToSocketAddrs;
pub use options::{ConnectOptions, ListenOptions};
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
