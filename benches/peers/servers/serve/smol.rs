//! smol's server, with the executor for one thread.

use std::io;

use smol::LocalExecutor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use super::http::Requests;
use crate::service::RESPONSE;

pub fn serve<F>(listener: std::net::TcpListener, connection: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future + 'static,
{
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = TcpListener::try_from(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            executor.spawn(connection(stream)).detach();
        }
    }))
}

pub async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}

pub async fn hello(mut stream: TcpStream) -> io::Result<()> {
    let mut requests = Requests::new();
    loop {
        match stream.read(requests.room()?).await? {
            0 => return Ok(()),
            count => requests.filled += count,
        }
        while requests.take()? {
            stream.write_all(RESPONSE).await?;
        }
    }
}
