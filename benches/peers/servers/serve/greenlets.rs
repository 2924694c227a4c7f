//! This crate's server.

use std::io;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::spawn;

use crate::service::Service;

pub fn serve(listener: std::net::TcpListener, service: Service) -> io::Result<()> {
    match service {
        Service::Echo => accept(listener, super::echo),
        Service::Hello => accept(listener, super::http::hello),
    }
}

fn accept(
    listener: std::net::TcpListener,
    serve: impl Fn(TcpStream) -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept()?;
        drop(spawn(move || serve(stream)));
    }
}
