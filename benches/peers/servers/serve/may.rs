//! may's server, with one worker.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};

use may::go;
use may::net::{TcpListener, TcpStream};

pub fn serve(
    listener: std::net::TcpListener,
    connection: impl Fn(TcpStream) -> io::Result<()> + Copy + Send + 'static,
) -> io::Result<()> {
    may::config().set_workers(1).set_worker_pin(false);
    // SAFETY: the descriptor is open and given away.
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let accepting = go!(move || -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            drop(go!(move || connection(stream)));
        }
    });
    accepting.join().expect("it does not panic")
}
