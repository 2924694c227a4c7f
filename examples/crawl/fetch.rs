//! Gets one URL: name, connection, TLS, request, redirects, time limits.
//!
//! Each worker of the crawl has a [`Fetcher`] of its own, which keeps its last
//! connection for the next request.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use greenlet::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq_proto::http::StatusCode;
use url::{Host, Origin, Url};

use crate::http::{self, Answer, HttpError};
use crate::links;
use crate::wire::Wire;

const REDIRECT_LIMIT: usize = 10;

/// A plain or an encrypted connection.
trait Transport: Read + Write {}
impl<T: Read + Write> Transport for T {}

type Connection = Wire<Box<dyn Transport>>;

/// What all fetchers share.
pub struct Client {
    timeout: Duration,
    tls: Arc<ClientConfig>,
}

pub struct Fetcher {
    timeout: Duration,
    tls: Arc<ClientConfig>,
    /// The connection of the last request, if the server keeps it open.
    idle: Option<(Origin, Connection)>,
}

/// What a URL led to.
pub struct Document {
    /// Where the redirects ended.
    pub url: Url,
    pub status: StatusCode,
    pub html: Option<Vec<u8>>,
    pub bytes: u64,
}

pub enum FetchError {
    Unresolved(io::Error),
    Unconnected(io::Error),
    ConnectTimeout(Duration),
    AnswerTimeout(Duration),
    BadRedirect(String),
    TooManyRedirects,
    Http(HttpError),
}

impl Client {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, tls: tls_config() }
    }

    pub fn fetcher(&self) -> Fetcher {
        Fetcher { timeout: self.timeout, tls: Arc::clone(&self.tls), idle: None }
    }
}

impl Fetcher {
    /// Gets a URL, through redirects; none if they lead out of the site and
    /// `may_leave` forbids that.
    pub fn fetch(&mut self, url: &Url, may_leave: bool) -> Result<Option<Document>, FetchError> {
        let mut here = url.clone();
        for _ in 0..=REDIRECT_LIMIT {
            let answer = self.request(&here)?;
            let Some(location) = answer.redirect() else {
                return Ok(Some(Document {
                    url: here,
                    status: answer.status,
                    html: answer.html,
                    bytes: answer.bytes,
                }));
            };
            let next = links::resolve(&here, location)
                .ok_or_else(|| FetchError::BadRedirect(location.to_owned()))?;
            if !may_leave && !links::same_site(&here, &next) {
                return Ok(None);
            }
            here = next;
        }
        Err(FetchError::TooManyRedirects)
    }

    fn request(&mut self, url: &Url) -> Result<Answer, FetchError> {
        if let Some(connection) = self.take_idle(url) {
            match self.exchange(connection, url) {
                // A server may close an idle connection just as it is used
                // again. That says nothing about the URL: connect anew.
                Err(FetchError::Http(error)) if error.is_connection_lost() => {}
                outcome => return outcome,
            }
        }
        let connection = greenlet::with_timeout(self.timeout, || connect(url, &self.tls))
            .map_err(|_| FetchError::ConnectTimeout(self.timeout))??;
        self.exchange(connection, url)
    }

    fn take_idle(&mut self, url: &Url) -> Option<Connection> {
        let (origin, connection) = self.idle.take()?;
        (origin == url.origin()).then_some(connection)
    }

    fn exchange(&mut self, mut connection: Connection, url: &Url) -> Result<Answer, FetchError> {
        let answer = greenlet::with_timeout(self.timeout, || http::get(&mut connection, url))
            .map_err(|_| FetchError::AnswerTimeout(self.timeout))?
            .map_err(FetchError::Http)?;
        if answer.reusable {
            self.idle = Some((url.origin(), connection));
        }
        Ok(answer)
    }
}

fn connect(url: &Url, tls: &Arc<ClientConfig>) -> Result<Connection, FetchError> {
    let tcp = connect_tcp(url)?;
    let stream: Box<dyn Transport> = if url.scheme() == "https" {
        Box::new(start_tls(url, tcp, tls).map_err(FetchError::Unconnected)?)
    } else {
        Box::new(tcp)
    };
    Ok(Wire::new(stream))
}

/// Connects to the first of the host's addresses that takes the connection.
fn connect_tcp(url: &Url) -> Result<TcpStream, FetchError> {
    let port = url.port_or_known_default().unwrap_or(80);
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses(url).map_err(FetchError::Unresolved)? {
        match TcpStream::connect((address, port)) {
            Ok(stream) => {
                // The requests are small and answered one by one.
                stream.set_nodelay(true).map_err(FetchError::Unconnected)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(FetchError::Unconnected(failure))
}

fn addresses(url: &Url) -> io::Result<Vec<IpAddr>> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
        Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
        Some(Host::Domain(name)) => greenlet::dns::lookup(name),
        None => unreachable!("a http or https URL has a host"),
    }
}

fn start_tls(
    url: &Url,
    mut tcp: TcpStream,
    config: &Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    // Shaking hands here, not with the first request, keeps a certificate's
    // fault apart from an answer's.
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    Ok(StreamOwned::new(tls, tcp))
}

/// TLS with the usual root certificates.
fn tls_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

impl FetchError {
    /// Whether the same request may go well at another time.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unresolved(_) | Self::Unconnected(_) | Self::ConnectTimeout(_) | Self::AnswerTimeout(_) => {
                true
            }
            Self::BadRedirect(_) | Self::TooManyRedirects => false,
            Self::Http(error) => error.is_connection_lost(),
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(error) => write!(f, "the host's name does not resolve: {error}"),
            Self::Unconnected(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                _ => write!(f, "cannot connect: {error}"),
            },
            Self::ConnectTimeout(limit) => write!(f, "no connection within {limit:?}"),
            Self::AnswerTimeout(limit) => write!(f, "no complete answer within {limit:?}"),
            Self::BadRedirect(target) => write!(f, "redirects to {target:?}, which is no URL"),
            Self::TooManyRedirects => write!(f, "more than {REDIRECT_LIMIT} redirects in a row"),
            Self::Http(error) => error.fmt(f),
        }
    }
}
