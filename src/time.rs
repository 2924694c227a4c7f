//! Deadlines.

use std::time::{Duration, Instant};

/// When a wait of at most `timeout` ends; `None` if it never does.
#[inline]
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    // What the clock cannot express is further away than any program runs.
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
