//! Greeting in blocking style, on connections that stay. The parser is httparse's, as is hyper's.

use std::io::{self, ErrorKind, Read, Write};

use super::BUFFER;
use crate::service::RESPONSE;

pub fn hello(mut stream: impl Read + Write) -> io::Result<()> {
    let mut requests = Requests::new();
    loop {
        match stream.read(requests.room()?)? {
            0 => return Ok(()),
            count => requests.filled += count,
        }
        while requests.take()? {
            stream.write_all(RESPONSE)?;
        }
    }
}

/// What has come and was not answered.
pub struct Requests {
    buffer: [u8; BUFFER],
    pub filled: usize,
}

impl Requests {
    pub fn new() -> Self {
        Self { buffer: [0; BUFFER], filled: 0 }
    }

    /// Where more is read to.
    pub fn room(&mut self) -> io::Result<&mut [u8]> {
        match &mut self.buffer[self.filled..] {
            [] => Err(ErrorKind::InvalidData.into()),
            room => Ok(room),
        }
    }

    /// Takes a request, if a whole one has come.
    pub fn take(&mut self) -> io::Result<bool> {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&self.buffer[..self.filled]) {
            Ok(httparse::Status::Complete(len)) => {
                self.buffer.copy_within(len..self.filled, 0);
                self.filled -= len;
                Ok(true)
            }
            Ok(httparse::Status::Partial) => Ok(false),
            Err(error) => Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }
}
