//! This crate's server.

use std::io;

use greenlet::net::TcpListener;
use greenlet::spawn;

use crate::service::Service;

pub fn serve(listener: std::net::TcpListener, service: Service) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept()?;
        drop(spawn(move || super::serve(stream, service)));
    }
}
