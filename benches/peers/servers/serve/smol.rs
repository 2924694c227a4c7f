//! smol's server, with the executor for one thread.

use std::io;

use smol::LocalExecutor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use super::http::Requests;
use crate::service::{RESPONSE, Service};

pub fn serve(listener: std::net::TcpListener, service: Service) -> io::Result<()> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = TcpListener::try_from(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            match service {
                Service::Echo => executor.spawn(echo(stream)).detach(),
                Service::Hello => executor.spawn(hello(stream)).detach(),
            }
        }
    }))
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}

async fn hello(mut stream: TcpStream) -> io::Result<()> {
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
