//! Sockets. Numbers are those of the statements and of the bugs in the studies of gevent and eventlet
//! that the scheduler is held to: "gevent 98", "E12".

mod close;
mod modes;
mod tcp;
mod udp;
mod unix;
#[cfg(target_os = "linux")]
mod unix_linux;

use std::io;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{GreenThread, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A task that has run up to its first wait.
fn parked<T: 'static>(body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    let task = spawn(body);
    yield_now();
    assert!(!task.is_finished(), "it was to wait");
    task
}

fn is_timeout<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == io::ErrorKind::TimedOut
}

fn is_closed<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().raw_os_error() == Some(libc::EBADF)
}
