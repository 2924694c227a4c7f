//! Waiting for what the system does not tell: that the queue of a Unix socket has room again.

use std::io;
use std::time::{Duration, Instant};

use crate::hub;

const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// Repeats `operation` while it would block: after whoever is ready has run, and then at growing
/// intervals.
#[track_caller]
pub(super) fn retry<R>(
    until: Option<Instant>,
    why: &'static str,
    mut operation: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    // Before the operation: who is interrupted here has lost nothing.
    hub::spend_budget();
    let mut pause = Duration::ZERO;
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        hub::check_may_wait()?;
        let now = Instant::now();
        if until.is_some_and(|until| until <= now) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "timed out"));
        }
        if pause.is_zero() {
            hub::here().yield_now();
            pause = Duration::from_millis(1);
        } else {
            let next = now + pause;
            hub::here().wait_until(until.map_or(next, |until| until.min(next)), why);
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}
