//! A server that sends back line by line, for two hundred clients at a time at most: more of them
//! wait until there is room.

use std::io::{self, BufRead, BufReader, Write};

use greenlet::net::{TcpListener, TcpStream};
use greenlet::pool::Pool;

fn handle(client: TcpStream) -> io::Result<()> {
    println!("client connected");
    for line in BufReader::new(&client).lines() {
        let line = line?;
        writeln!(&client, "{line}")?;
        println!("echoed {line}");
    }
    println!("client disconnected");
    Ok(())
}

pub(crate) fn main() -> io::Result<()> {
    serve(&TcpListener::bind("127.0.0.1:8000")?)
}

pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    println!("server socket listening on port {}", listener.local_addr()?.port());
    let pool = Pool::new(200);
    loop {
        let (client, address) = listener.accept()?;
        println!("accepted {address}");
        drop(pool.spawn(move || handle(client)));
    }
}
