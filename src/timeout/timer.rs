//! Timeouts as objects.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Expired, TimeoutError};
use crate::greenlet::life::{self, CAN_UNWIND};
use crate::greenlet::thread::{self, on_thread};
use crate::greenlet::{Greenlet, WeakGreenlet};
use crate::hub::{self, Action, Cause, Fiber, Hub, Interrupt, TimerKey};
use crate::time::deadline;

/// A limit on how long the greenlet that [starts](Self::start) it may take (gevent's and eventlet's
/// `Timeout`).
///
/// When its time is over, that greenlet unwinds from where it waits, or from its next wait, with
/// [`Expired`] or with an error [of your own](Self::raising). That happens wherever it is at that
/// moment, so a timeout is best used for a [scope](Self::scope), which catches what it raised there;
/// [`with_timeout`](super::with_timeout) is one in a single call. One that is started by hand runs
/// until it fires, is [cancelled](Self::cancel) or dropped.
///
/// A timeout without a limit, `None`, never fires. One of zero fires at the next wait.
///
/// ```
/// use std::time::Duration;
/// use greenlet::{Timeout, TimeoutError, sleep};
///
/// let timeout = Timeout::new(Duration::from_millis(5));
/// timeout.start().unwrap();
/// assert!(timeout.is_pending());
/// let result = timeout.catch(|| sleep(Duration::from_secs(3600)));
/// assert_eq!(result, Err(TimeoutError::Elapsed));
/// assert!(!timeout.is_pending());
/// ```
pub struct Timeout {
    limit: Option<Duration>,
    error: Option<MakeError>,
    id: u64,
    armed: Cell<Option<Armed>>,
}

type MakeError = Box<dyn Fn() -> Box<dyn Any + Send>>;

/// A timeout that was started and not cancelled. It may have fired.
struct Armed {
    timer: TimerKey,
    /// The number of the greenlet that started it.
    target: u64,
}

impl Timeout {
    /// A timeout that does not run yet.
    pub fn new(limit: impl Into<Option<Duration>>) -> Self {
        Self::with(limit.into(), None)
    }

    /// A timeout that does not run yet and raises an error of your own: what `error` makes when it is
    /// started is the payload with which the greenlet unwinds. Nothing here catches that.
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenlet::{Timeout, sleep, spawn};
    ///
    /// struct TooLong;
    ///
    /// let task = spawn(|| {
    ///     let timeout = Timeout::raising(Duration::from_millis(5), || TooLong);
    ///     timeout.start().unwrap();
    ///     sleep(Duration::from_secs(3600));
    /// });
    /// task.wait(None);
    /// assert!(task.error().unwrap().downcast_ref::<TooLong>().is_some());
    /// ```
    pub fn raising<E: Any + Send>(
        limit: impl Into<Option<Duration>>,
        error: impl Fn() -> E + 'static,
    ) -> Self {
        Self::with(limit.into(), Some(Box::new(move || Box::new(error()))))
    }

    fn with(limit: Option<Duration>, error: Option<MakeError>) -> Self {
        Self { limit, error, id: next_id(), armed: Cell::new(None) }
    }

    /// A timeout that runs (gevent's `start_new`).
    ///
    /// # Errors
    ///
    /// If this build cannot unwind.
    pub fn start_new(limit: impl Into<Option<Duration>>) -> Result<Self, TimeoutError> {
        let timeout = Self::new(limit);
        timeout.start()?;
        Ok(timeout)
    }

    /// Begins to measure. The current greenlet is the one that will be interrupted.
    ///
    /// # Errors
    ///
    /// If it runs already, or this build cannot unwind.
    pub fn start(&self) -> Result<(), TimeoutError> {
        if self.is_pending() {
            return Err(TimeoutError::Pending);
        }
        // It may have fired, and not have been raised yet.
        self.cancel();
        let (Some(limit), Some(deadline)) = (self.limit, deadline(self.limit)) else { return Ok(()) };
        if !CAN_UNWIND {
            return Err(TimeoutError::CannotUnwind);
        }
        let hub = hub::here();
        let payload = self.error.as_ref().map(|make| make());
        let target = Greenlet::current();
        let number = target.id();
        // The timer may outlive the greenlet, if this is forgotten.
        let fire = Fire { id: self.id, limit, payload, target: target.downgrade() };
        // To be interrupted it needs a record.
        hub.current();
        let timer = hub.set_timer(deadline, Action::Call(Box::new(move |hub| fire.fire(hub))));
        self.armed.set(Some(Armed { timer, target: number }));
        Ok(())
    }

    /// Stops it; it can be started again. Any greenlet may do this as long as it has not fired, and
    /// after that the one that started it, if it has not been unwound yet.
    pub fn cancel(&self) {
        let Some(armed) = self.armed.take() else { return };
        hub::with_existing(|hub| {
            // What was woken to be unwound cannot be put back to where it waited by another greenlet.
            if !hub.cancel_timer(armed.timer) && armed.target == Greenlet::<()>::current().id() {
                hub.current().cancel_interrupts(Cause::Timeout(self.id));
            }
        });
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it runs and has not fired.
    pub fn is_pending(&self) -> bool {
        let armed = self.armed.take();
        let timer = armed.as_ref().map(|armed| armed.timer);
        self.armed.set(armed);
        timer.is_some_and(|timer| hub::with_existing(|hub| hub.is_timer_set(timer)) == Some(true))
    }

    /// Starts it, calls `f`, and stops it, whatever `f` does (gevent's `with Timeout(...)`).
    ///
    /// # Errors
    ///
    /// If the time was over first, if it runs already, or if this build cannot unwind. In the latter
    /// two cases `f` is not called.
    ///
    /// # Panics
    ///
    /// If `f` does, or unwinds with what another timeout raises, or this one if it has an error of
    /// its own.
    #[track_caller]
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> Result<R, TimeoutError> {
        struct CancelOnDrop<'a>(&'a Timeout);
        impl Drop for CancelOnDrop<'_> {
            fn drop(&mut self) {
                self.0.cancel();
            }
        }
        self.start()?;
        let _cancel = CancelOnDrop(self);
        self.catch(f)
    }

    /// Calls `f`; what this timeout raises there ends here, and nothing else does.
    ///
    /// # Errors
    ///
    /// If it has unwound `f`.
    ///
    /// # Panics
    ///
    /// If `f` unwinds for another reason.
    #[track_caller]
    pub fn catch<R>(&self, f: impl FnOnce() -> R) -> Result<R, TimeoutError> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast_ref::<Expired>() {
            Some(expired) if expired.is_of(self) => TimeoutError::Elapsed,
            _ => resume_unwind(payload),
        })
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A number that no other timeout of the process has: what one raises may get to another thread. Each thread takes them
/// by the thousand.
fn next_id() -> u64 {
    const AT_ONCE: u64 = 1 << 10;
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    on_thread(|| {
        let mut id = NEXT.get();
        if id.is_multiple_of(AT_ONCE) {
            id = TAKEN.fetch_add(AT_ONCE, Ordering::Relaxed);
        }
        NEXT.set(id + 1);
        id
    })
}

/// What happens when the time is over.
struct Fire {
    id: u64,
    limit: Duration,
    payload: Option<Box<dyn Any + Send>>,
    target: WeakGreenlet,
}

impl Fire {
    fn fire(self, hub: &Hub) {
        let Self { id, limit, payload, target } = self;
        let greenlet = target.upgrade();
        let record = greenlet.as_ref().and_then(|greenlet| {
            // SAFETY: kept by the handle; a record is there as long as the block names it.
            unsafe { greenlet.core_ptr().as_ref().record.get().cast::<Fiber>().as_ref() }
        });
        let raise = || match record {
            Some(fiber) => {
                let payload = payload.unwrap_or_else(|| Box::new(Expired { id, limit }));
                hub.interrupt(fiber, Interrupt::Unwind(Cause::Timeout(id), payload));
            }
            None => drop(payload),
        };
        // The destructor of an error may be anybody's, and who runs now has nothing to do with it.
        // SAFETY: what is current is alive.
        life::quietly(unsafe { thread::current().as_ref() }, raise);
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "{limit:?}"),
            None => f.write_str("no limit"),
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).field("pending", &self.is_pending()).finish()
    }
}
