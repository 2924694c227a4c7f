//! Sends what is typed to `seed_echo_server`, line by line, and shows what comes back.

use std::io::{self, BufRead, BufReader, Read, Write};

use greenlet::net::TcpStream;
use greenlet::os;

pub(crate) fn main() -> io::Result<()> {
    talk(TcpStream::connect("localhost:8001")?, BufReader::new(os::stdin()))
}

pub(crate) fn talk(mut server: TcpStream, input: impl BufRead) -> io::Result<()> {
    for line in input.lines() {
        server.write_all(line?.as_bytes())?;
        let mut buffer = [0; 1024];
        let length = server.read(&mut buffer)?;
        println!("Received {}", buffer[..length].escape_ascii());
    }
    Ok(())
}
