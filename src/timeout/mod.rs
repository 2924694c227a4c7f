//! Floor 4: limits on how long something may take.
//!
//! A timeout unwinds a greenlet from where it waits. Each has an identity, so that whoever catches
//! one knows whether it is its own, and passes all others on.

mod error;
mod timer;

pub use self::error::{Expired, TimeoutError};
pub use self::timer::Timeout;

use std::time::Duration;

/// Calls `f` and interrupts it if it takes longer than `timeout` (gevent's and eventlet's
/// `with_timeout`). Without a timeout, `None`, it is never interrupted.
///
/// The interruption unwinds `f` from the wait in which it is, or from its next one: a function that
/// never waits is not interrupted. A timeout of zero interrupts the first wait. Timeouts nest, and
/// each ends only its own call.
///
/// For a value in place of the error, or an error of your own, there are
/// [`unwrap_or`](Result::unwrap_or) and [`map_err`](Result::map_err).
///
/// # Errors
///
/// If the time was over first, or this build cannot unwind.
///
/// # Panics
///
/// If `f` does.
///
/// ```
/// use std::time::Duration;
/// use greenlet::{TimeoutError, sleep, with_timeout};
///
/// let slow = with_timeout(Duration::from_millis(5), || sleep(Duration::from_secs(3600)));
/// assert_eq!(slow, Err(TimeoutError::Elapsed));
/// assert_eq!(with_timeout(Duration::from_secs(3600), || 42), Ok(42));
/// assert_eq!(with_timeout(None, || 42), Ok(42));
/// ```
#[track_caller]
pub fn with_timeout<R>(
    timeout: impl Into<Option<Duration>>,
    f: impl FnOnce() -> R,
) -> Result<R, TimeoutError> {
    Timeout::new(timeout).scope(f)
}
