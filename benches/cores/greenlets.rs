//! This crate's way.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::{hub, spawn};

use crate::threads::{CONNECTIONS, Contestant, MESSAGE};

pub const GREENLETS: Contestant = Contestant { name: "greenlet", serve };

fn serve(threads: usize, end: Instant) -> u64 {
    let hubs = hub::run_on(threads, move |_| serve_here(end).expect("connections")).expect("threads");
    hubs.join().into_iter().map(|answered| answered.expect("it does not panic")).sum()
}

fn serve_here(end: Instant) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| spawn(move || ask(address, end))).collect();
    for _ in 0..CONNECTIONS {
        let (stream, _) = listener.accept()?;
        drop(spawn(move || echo(stream)));
    }
    clients.into_iter().map(|client| client.join().expect("it does not panic")).sum()
}

fn ask(address: SocketAddr, end: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    let mut answered = 0;
    while Instant::now() < end {
        stream.write_all(&[0; MESSAGE])?;
        stream.read_exact(&mut [0; MESSAGE])?;
        answered += 1;
    }
    Ok(answered)
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        match stream.read(&mut message)? {
            0 => return Ok(()),
            count => stream.write_all(&message[..count])?,
        }
    }
}
