//! Floor 6: servers, each connection or datagram in a task of its own.
//!
//! A server is a listener, a task that accepts, and the tasks that handle. What is particular to a kind
//! of socket is its [`Intake`]; all the rest is [`Server`]. A [`ThreadedServer`] is one of them a thread.

mod intake;
mod life;
mod serve;
mod threaded;

pub use self::intake::Intake;
pub use self::life::Server;
pub use self::serve::serve;
pub use self::threaded::ThreadedServer;

use crate::net::{TcpListener, UdpSocket};

/// A server of connections (gevent's `StreamServer`); see [`Server`].
pub type StreamServer<L = TcpListener> = Server<L>;

/// A server of datagrams (gevent's `DatagramServer`); see [`Server`].
pub type DatagramServer = Server<UdpSocket>;
