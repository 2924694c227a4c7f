//! Limits on how long something may take.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::time::Duration;

use crate::greenlet::life::CAN_UNWIND;
use crate::hub::{self, Action, Interrupt};
use crate::time::deadline;

/// Why [`with_timeout`] has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The time was over first.
    Elapsed,
    /// The program was built with `panic = "abort"`, so nothing could be interrupted; the function
    /// was not called.
    CannotUnwind,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elapsed => "timed out",
            Self::CannotUnwind => "built with panic = \"abort\": nothing can be timed out",
        })
    }
}

impl std::error::Error for TimeoutError {}

impl From<TimeoutError> for std::io::Error {
    fn from(error: TimeoutError) -> Self {
        let kind = match error {
            TimeoutError::Elapsed => std::io::ErrorKind::TimedOut,
            TimeoutError::CannotUnwind => std::io::ErrorKind::Unsupported,
        };
        Self::new(kind, error)
    }
}

/// Calls `f` and interrupts it if it takes longer than `timeout` (gevent's and eventlet's
/// `with_timeout`).
///
/// The interruption unwinds `f` from the wait in which it is, or from its next one: a function that
/// never waits is not interrupted. Timeouts nest, and each ends only its own call.
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
/// ```
pub fn with_timeout<R>(timeout: Duration, f: impl FnOnce() -> R) -> Result<R, TimeoutError> {
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    if !CAN_UNWIND {
        return Err(TimeoutError::CannotUnwind);
    }
    let Some(deadline) = deadline(Some(timeout)) else { return Ok(f()) };
    let id = NEXT.replace(NEXT.get() + 1);
    let result = {
        let _armed = Armed::new(deadline, id);
        catch_unwind(AssertUnwindSafe(f))
    };
    result.or_else(|payload| match payload.downcast_ref::<Expired>() {
        Some(expired) if expired.id == id => Err(TimeoutError::Elapsed),
        _ => resume_unwind(payload),
    })
}

/// What a timeout unwinds with. Only the call that set it knows its own.
struct Expired {
    id: u64,
}

/// A timeout that is running. Dropped, it is cancelled, whether it has fired or not.
struct Armed {
    timer: hub::TimerKey,
    id: u64,
}

impl Armed {
    fn new(deadline: std::time::Instant, id: u64) -> Self {
        let hub = hub::here();
        let fiber = NonNull::from(hub.current());
        let fire = move |hub: &hub::Hub| {
            // SAFETY: the timer is cancelled on the greenlet's own stack, before that ends.
            hub.interrupt(unsafe { fiber.as_ref() }, Interrupt::Unwind(Box::new(Expired { id })));
        };
        let timer = hub.set_timer(deadline, Action::Call(Box::new(fire)));
        Self { timer, id }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        hub::with_existing(|hub| {
            hub.cancel_timer(self.timer);
            let own = |payload: &(dyn Any + Send)| {
                payload.downcast_ref::<Expired>().is_some_and(|expired| expired.id == self.id)
            };
            hub.current().cancel_interrupts(own);
        });
    }
}
