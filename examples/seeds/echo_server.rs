//! A server that sends back whatever it gets, to any number of clients at once, each in a task of
//! its own. `seed_echo_client` talks to it.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::spawn;

pub(crate) fn main() -> io::Result<()> {
    serve(&TcpListener::bind("127.0.0.1:8001")?)
}

pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (client, _address) = listener.accept()?;
        drop(spawn(move || {
            if let Err(error) = handle(client) {
                println!("{error}");
            }
        }));
    }
}

fn handle(mut client: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let data = match client.read(&mut buffer)? {
            0 => return client.shutdown(Shutdown::Write),
            length => &buffer[..length],
        };
        println!("recv: {}", data.escape_ascii());
        client.write_all(data)?;
    }
}
