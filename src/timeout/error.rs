//! What a timeout leads to.

use std::fmt;
use std::time::Duration;

use super::Timeout;

/// Why [`with_timeout`](super::with_timeout) or a [`Timeout`](super::Timeout) has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The time was over first.
    Elapsed,
    /// The timeout is running already: it is to be cancelled before it can be started again.
    Pending,
    /// The program was built with `panic = "abort"`, so nothing could be interrupted; the function
    /// was not called.
    CannotUnwind,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elapsed => "timed out",
            Self::Pending => "the timeout is running already",
            Self::CannotUnwind => "built with panic = \"abort\": nothing can be timed out",
        })
    }
}

impl std::error::Error for TimeoutError {}

impl From<TimeoutError> for std::io::Error {
    fn from(error: TimeoutError) -> Self {
        let kind = match error {
            TimeoutError::Elapsed => std::io::ErrorKind::TimedOut,
            TimeoutError::Pending => std::io::ErrorKind::InvalidInput,
            TimeoutError::CannotUnwind => std::io::ErrorKind::Unsupported,
        };
        Self::new(kind, error)
    }
}

/// The payload with which a [`Timeout`](super::Timeout) unwinds a greenlet, unless it has an error of
/// its own: whoever catches it by [`std::panic::catch_unwind`] can tell whose it is.
#[derive(Debug)]
pub struct Expired {
    pub(super) id: u64,
    pub(super) limit: Duration,
}

impl Expired {
    /// The time that is over.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it was raised by this timeout.
    pub fn is_of(&self, timeout: &Timeout) -> bool {
        self.id == timeout.id()
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.limit)
    }
}
