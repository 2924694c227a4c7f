//! What a server is asked, and what it answers.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// Greets over HTTP, on connections that stay.
    Hello,
}

/// The size of a request for an echo.
const MESSAGE: usize = 64;

/// What browsers and such send along is left out.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n";

pub const GREETING: &str = "Hello, world!";
pub const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, world!";

/// The largest request or response.
pub const LARGEST: usize = 128;
const _: () = assert!(RESPONSE.len() <= LARGEST && REQUEST.len() <= LARGEST);

impl Service {
    pub const ALL: [Self; 2] = [Self::Echo, Self::Hello];

    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Hello => "hello",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    pub fn request(self) -> &'static [u8] {
        match self {
            Self::Echo => &[b'?'; MESSAGE],
            Self::Hello => REQUEST,
        }
    }

    pub fn response(self) -> &'static [u8] {
        match self {
            Self::Echo => self.request(),
            Self::Hello => RESPONSE,
        }
    }
}
