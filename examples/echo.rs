//! Sends back what it gets, on as many threads as you like, until Ctrl-C.
//!
//!     cargo run --release --example echo -- --threads 2
//!     nc localhost 7000

use std::io::{self, Read, Write};
use std::num::NonZero;
use std::time::Duration;

use clap::Parser;
use greenlet::net::TcpStream;
use greenlet::server::ThreadedServer;
use greenlet::signal::{SIGINT, SIGTERM, Signals};

/// Sends back what it gets.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7000")]
    address: String,
    /// On how many threads, each with a hub of its own.
    #[arg(long, default_value_t = NonZero::<usize>::MIN)]
    threads: NonZero<usize>,
    /// How many seconds connections have to end after Ctrl-C.
    #[arg(long, default_value_t = 1.0)]
    grace: f64,
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len])?,
        }
    }
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let grace = Duration::try_from_secs_f64(arguments.grace).map_err(io::Error::other)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let handler = |(stream, _)| echo(stream);
    let server = ThreadedServer::start(arguments.threads.get(), arguments.address, handler)?;
    println!("listening at {} on {} threads", server.local_addr(), arguments.threads);
    signals.wait();
    let killed = server.stop(Some(grace))?;
    println!("{killed} connections did not end by themselves");
    Ok(())
}
