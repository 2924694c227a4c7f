//! A connection together with the bytes that have arrived on it but are not
//! used yet. HTTP messages do not end where reads end, so client and server
//! both keep the surplus of a read here.

use std::io::{self, Read, Write};

/// What HTTP must see as a whole, such as a message's head, may be this long.
pub const HEAD_LIMIT: usize = 64 * 1024;

const READ_SIZE: usize = 16 * 1024;

pub struct Wire<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: Read + Write> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    pub fn consume(&mut self, used: usize) {
        self.unread.drain(..used);
    }

    /// Waits for more bytes and returns how many came; none: the peer is done.
    pub fn fill(&mut self) -> io::Result<usize> {
        let old = self.unread.len();
        if old >= HEAD_LIMIT {
            let reason = "the header is longer than 64 KiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        self.unread.resize(old + READ_SIZE, 0);
        let outcome = self.stream.read(&mut self.unread[old..]);
        let got = *outcome.as_ref().unwrap_or(&0);
        self.unread.truncate(old + got);
        outcome
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }
}
