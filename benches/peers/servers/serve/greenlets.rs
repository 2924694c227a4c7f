//! This crate's server.

use std::io;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::spawn;

pub fn serve(
    listener: std::net::TcpListener,
    connection: impl Fn(TcpStream) -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept()?;
        drop(spawn(move || connection(stream)));
    }
}
