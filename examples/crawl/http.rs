//! The client's side of HTTP: one GET over a connection that is already there.
//!
//! The protocol itself (1.0 and 1.1, lengths, chunks, keep-alive) is the state
//! machine of `ureq-proto`, which does no I/O. What is left to do here is to
//! move bytes between it and the connection, and to wait: plain loops.

use std::fmt;
use std::io::{self, Read, Write};

use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::header::{self, HeaderName};
use ureq_proto::http::{self, Request, Response, StatusCode};
use url::Url;

use crate::wire::{HEAD_LIMIT, Wire};

const USER_AGENT: &str = "greenlet-crawl";
const BODY_LIMIT: u64 = 16 * 1024 * 1024;
const PIECE_SIZE: usize = 16 * 1024;

pub struct Answer {
    pub status: StatusCode,
    location: Option<String>,
    /// The body, if the answer is a page; other bodies are only counted.
    pub html: Option<Vec<u8>>,
    pub bytes: u64,
    /// Whether the connection is good for another request.
    pub reusable: bool,
}

#[derive(Debug)]
pub enum HttpError {
    /// The connection ended without an answer.
    NoAnswer,
    /// The connection ended half-way through the answer.
    Incomplete,
    BodyTooLong,
    Protocol(ureq_proto::Error),
    Request(http::Error),
    Io(io::Error),
}

pub fn get<S: Read + Write>(wire: &mut Wire<S>, url: &Url) -> Result<Answer, HttpError> {
    let call = send_request(wire, url)?;
    let (head, call) = read_head(wire, call)?;
    let mut answer = Answer::new(&head);
    let reusable = match call {
        RecvResponseResult::RecvBody(call) => read_body(wire, call, &mut answer)?,
        RecvResponseResult::Redirect(call) => !call.must_close_connection(),
        RecvResponseResult::Cleanup(call) => !call.must_close_connection(),
    };
    // Bytes nobody asked for would be taken for the head of the next answer.
    answer.reusable = reusable && wire.unread().is_empty();
    Ok(answer)
}

fn send_request<S: Read + Write>(wire: &mut Wire<S>, url: &Url) -> Result<Call<RecvResponse>, HttpError> {
    let request = Request::get(url.as_str())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "text/html, */*;q=0.5")
        .body(())?;
    let mut call = Call::new(request)?.proceed();
    let mut head = vec![0; HEAD_LIMIT];
    while !call.can_proceed() {
        let length = call.write(&mut head)?;
        wire.send(&head[..length])?;
    }
    match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => Ok(call),
        _ => unreachable!("a GET that is written out has no body to follow"),
    }
}

fn read_head<S: Read + Write>(
    wire: &mut Wire<S>,
    mut call: Call<RecvResponse>,
) -> Result<(Response<()>, RecvResponseResult), HttpError> {
    let head = loop {
        let (used, head) = call.try_response(wire.unread(), false)?;
        wire.consume(used);
        if let Some(head) = head {
            break head;
        }
        if used == 0 && wire.fill()? == 0 {
            return Err(match wire.unread() {
                [] => HttpError::NoAnswer,
                _ => HttpError::Incomplete,
            });
        }
    };
    match call.proceed() {
        Some(next) => Ok((head, next)),
        None => unreachable!("the head has been read"),
    }
}

/// Takes the body in and returns whether the connection can be used again.
fn read_body<S: Read + Write>(
    wire: &mut Wire<S>,
    mut call: Call<RecvBody>,
    answer: &mut Answer,
) -> Result<bool, HttpError> {
    let mode = call.body_mode();
    if answer.html.is_none() && matches!(mode, BodyMode::LengthDelimited(n) if n > BODY_LIMIT) {
        // A big download. That it is there is all a link checker has to know.
        return Ok(false);
    }
    let until_close = mode == BodyMode::CloseDelimited;
    let mut piece = vec![0; PIECE_SIZE];
    while until_close || !call.can_proceed() {
        let (used, length) = call.read(wire.unread(), &mut piece)?;
        wire.consume(used);
        answer.take_in(&piece[..length])?;
        if used == 0 && wire.fill()? == 0 {
            if until_close {
                break;
            }
            return Err(HttpError::Incomplete);
        }
    }
    Ok(match call.proceed() {
        Some(RecvBodyResult::Redirect(call)) => !call.must_close_connection(),
        Some(RecvBodyResult::Cleanup(call)) => !call.must_close_connection(),
        None => false,
    })
}

impl Answer {
    fn new(head: &Response<()>) -> Self {
        let is_page = head.status().is_success() && is_html(head);
        Self {
            status: head.status(),
            location: header_text(head, header::LOCATION),
            html: is_page.then(Vec::new),
            bytes: 0,
            reusable: false,
        }
    }

    /// Where the answer points to instead of being one.
    pub fn redirect(&self) -> Option<&str> {
        let location = self.location.as_deref();
        location.filter(|_| self.status.is_redirection())
    }

    fn take_in(&mut self, piece: &[u8]) -> Result<(), HttpError> {
        self.bytes += piece.len() as u64;
        if self.bytes > BODY_LIMIT {
            return Err(HttpError::BodyTooLong);
        }
        if let Some(html) = &mut self.html {
            html.extend_from_slice(piece);
        }
        Ok(())
    }
}

fn is_html(head: &Response<()>) -> bool {
    let Some(content_type) = header_text(head, header::CONTENT_TYPE) else {
        return false;
    };
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/html")
}

fn header_text(head: &Response<()>, name: HeaderName) -> Option<String> {
    let value = head.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

impl HttpError {
    /// Whether it is the connection that failed, not what came over it.
    pub fn is_connection_lost(&self) -> bool {
        matches!(self, Self::NoAnswer | Self::Incomplete | Self::Io(_))
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("the server closed the connection without an answer"),
            Self::Incomplete => f.write_str("the server closed the connection half-way"),
            Self::BodyTooLong => f.write_str("the body is longer than 16 MiB"),
            Self::Protocol(error) => write!(f, "not a valid HTTP answer: {error}"),
            Self::Request(error) => write!(f, "not a URL that can be asked for: {error}"),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    f.write_str("the server broke the connection off")
                }
                io::ErrorKind::UnexpectedEof => Self::Incomplete.fmt(f),
                _ => error.fmt(f),
            },
        }
    }
}

impl From<ureq_proto::Error> for HttpError {
    fn from(error: ureq_proto::Error) -> Self {
        Self::Protocol(error)
    }
}

impl From<http::Error> for HttpError {
    fn from(error: http::Error) -> Self {
        Self::Request(error)
    }
}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
