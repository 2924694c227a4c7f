//! tokio's way: its runtime for one thread, on each.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::threads::{CONNECTIONS, Contestant, MESSAGE};

pub const TOKIO: Contestant = Contestant { name: "tokio", serve };

fn serve(threads: usize, end: Instant) -> u64 {
    let threads: Vec<_> = (0..threads).map(|_| thread::spawn(move || serve_here(end))).collect();
    let answered = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
    answered.sum::<io::Result<u64>>().expect("connections")
}

fn serve_here(end: Instant) -> io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(ask(address, end))).collect();
        for _ in 0..CONNECTIONS {
            let (stream, _) = listener.accept().await?;
            drop(tokio::spawn(echo(stream)));
        }
        let mut answered = 0;
        for client in clients {
            answered += client.await.expect("it does not panic")?;
        }
        Ok(answered)
    })
}

async fn ask(address: SocketAddr, end: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answered = 0;
    while Instant::now() < end {
        stream.write_all(&[0; MESSAGE]).await?;
        stream.read_exact(&mut [0; MESSAGE]).await?;
        answered += 1;
    }
    Ok(answered)
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut message = [0; MESSAGE];
    loop {
        match stream.read(&mut message).await? {
            0 => return Ok(()),
            count => stream.write_all(&message[..count]).await?,
        }
    }
}
