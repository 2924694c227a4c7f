//! Gets one URL with `ureq`, as any program would.

use std::fmt;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::{Agent, Error, ResponseExt};
use url::Url;

use crate::links;

const USER_AGENT: &str = "greenlet-crawl";
const BODY_LIMIT: u64 = 16 * 1024 * 1024;
/// Connections that are kept for further requests.
const IDLE: usize = 100;

/// What all fetchers share.
pub struct Client {
    agent: Agent,
}

pub struct Fetcher {
    agent: Agent,
}

/// What a URL led to.
pub struct Document {
    /// Where the redirects ended.
    pub url: Url,
    pub status: StatusCode,
    pub html: Option<Vec<u8>>,
    pub bytes: u64,
}

pub struct FetchError(Error);

impl Client {
    pub fn new(timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .user_agent(USER_AGENT)
            .accept("text/html, */*;q=0.5")
            .http_status_as_error(false)
            .timeout_connect(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .max_idle_connections(IDLE)
            .max_idle_connections_per_host(IDLE);
        Self { agent: config.build().into() }
    }

    pub fn fetcher(&self) -> Fetcher {
        Fetcher { agent: self.agent.clone() }
    }
}

impl Fetcher {
    /// Gets a URL, through redirects; none if they lead out of the site and `may_leave` forbids that.
    pub fn fetch(&mut self, url: &Url, may_leave: bool) -> Result<Option<Document>, FetchError> {
        let mut answer = self.agent.get(url.as_str()).call()?;
        let here = Url::parse(&answer.get_uri().to_string()).unwrap_or_else(|_| url.clone());
        if !may_leave && !links::same_site(url, &here) {
            return Ok(None);
        }
        let status = answer.status();
        let is_page = status.is_success() && answer.body().mime_type() == Some("text/html");
        let body = answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec()?;
        Ok(Some(Document { url: here, status, bytes: body.len() as u64, html: is_page.then_some(body) }))
    }
}

impl From<Error> for FetchError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl FetchError {
    /// Whether the same request may go well at another time.
    pub fn may_pass(&self) -> bool {
        matches!(self.0, Error::Io(_) | Error::Timeout(_) | Error::HostNotFound | Error::ConnectionFailed)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
