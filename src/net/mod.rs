//! Floor 4: sockets with std's methods, on which only the calling greenlet waits.
//!
//! Each operation is tried at once, and its greenlet waits only if it would block. The types
//! belong to the thread that made them, whose hub watches them; their descriptors can be moved
//! elsewhere through [`OwnedFd`](std::os::fd::OwnedFd).

mod addr;
mod sys;
mod tcp_listener;
mod tcp_stream;

pub use addr::ToSocketAddrs;
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
