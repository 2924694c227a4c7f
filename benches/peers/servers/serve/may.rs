//! may's server, with one worker.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};

use may::go;
use may::net::TcpListener;

use crate::service::Service;

pub fn serve(listener: std::net::TcpListener, service: Service) -> io::Result<()> {
    may::config().set_workers(1).set_worker_pin(false);
    // SAFETY: the descriptor is open and given away.
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let accepting = go!(move || -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            drop(go!(move || super::serve(stream, service)));
        }
    });
    accepting.join().expect("it does not panic")
}
