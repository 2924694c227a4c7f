//! Waiting for signals.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::action::{Counted, count};
use super::bells::Hung;
use crate::hub::{self, Hub};
use crate::time::deadline;

/// Listens to some signals, and waits for them.
///
/// From the moment when it is made, the signals do nothing else any more; when it is dropped, they do
/// what they did before. Several may listen to the same signal, on any threads, and all of them get
/// it. As everywhere, signals of one kind that come before the first is looked at count as one.
///
/// While somebody listens, [LoopExit](crate::hub#waiting) is not raised: a signal may come.
///
/// ```
/// use greenlet::signal::{SIGUSR1, SIGUSR2, Signals};
///
/// # fn main() -> std::io::Result<()> {
/// let signals = Signals::new([SIGUSR1, SIGUSR2])?;
/// # unsafe extern "C" { fn raise(signal: i32) -> i32; }
/// # unsafe { raise(SIGUSR2) };
/// assert_eq!(signals.wait(), SIGUSR2);
/// # Ok(())
/// # }
/// ```
pub struct Signals {
    signals: Vec<Seen>,
    /// `None` once it has been stopped.
    listening: RefCell<Option<Listening>>,
}

/// Dropped in this order: what is counted no more rings no more.
struct Listening {
    _counted: Vec<Counted>,
    bell: Hung,
}

/// A signal, and how often it had come when it was last looked at.
struct Seen {
    signal: libc::c_int,
    count: Cell<u32>,
}

impl Seen {
    /// Whether it has come since it was last looked at.
    fn has_come(&self) -> bool {
        let now = count(self.signal);
        self.count.replace(now) != now
    }
}

/// Waits until a signal comes (libc's `sigwait`).
///
/// One that comes before or after does what it always does, which may be to end the process: who waits
/// for more than one uses [`Signals`].
///
/// # Errors
///
/// As [`Signals::new`]; or in a destructor while the greenlet unwinds, where nothing can be waited for.
#[track_caller]
pub fn wait(signal: libc::c_int) -> io::Result<()> {
    hub::check_may_wait()?;
    Signals::new([signal]).map(|signals| _ = signals.wait())
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// If a signal is none, is one that cannot be caught (`SIGKILL`, `SIGSTOP`), or is raised by errors
    /// of the program itself (such as `SIGSEGV`).
    pub fn new(signals: impl IntoIterator<Item = libc::c_int>) -> io::Result<Self> {
        let bell = Hung::new();
        let mut seen: Vec<Seen> = Vec::new();
        for signal in signals {
            // One that is named twice comes once.
            if seen.iter().all(|seen| seen.signal != signal) {
                seen.push(Seen { signal, count: Cell::new(count(signal)) });
            }
        }
        let counted = seen.iter().map(|seen| Counted::new(seen.signal)).collect::<io::Result<_>>()?;
        Ok(Self { signals: seen, listening: RefCell::new(Some(Listening { _counted: counted, bell })) })
    }

    /// Waits until one of the signals comes, and returns which; at once, if one has come since the last
    /// time.
    #[track_caller]
    pub fn wait(&self) -> libc::c_int {
        loop {
            if let Some(signal) = self.next(None) {
                return signal;
            }
        }
    }

    /// As [`wait`](Self::wait), for at most `timeout`.
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<libc::c_int> {
        self.next(deadline(Some(timeout)))
    }

    /// One of the signals, if it has come since the last time.
    pub fn try_wait(&self) -> Option<libc::c_int> {
        self.signals.iter().find(|seen| seen.has_come()).map(|seen| seen.signal)
    }

    /// The next signal. `None` if it is later than `until`, or this was [stopped](Self::stop).
    #[track_caller]
    pub(super) fn next(&self, until: Option<Instant>) -> Option<libc::c_int> {
        loop {
            if self.listening.borrow().is_none() {
                return None;
            }
            self.hang_anew();
            let come = self.try_wait();
            if come.is_some() || until.is_some_and(|until| until <= Instant::now()) {
                return come;
            }
            hub::here().wait_for_bell(until, "a signal");
        }
    }

    /// In a forked child, has its hub rung for.
    fn hang_anew(&self) {
        if self.listening.borrow().as_ref().is_some_and(|listening| listening.bell.is_left_behind()) {
            let mut bell = Hung::new();
            if let Some(listening) = &mut *self.listening.borrow_mut() {
                std::mem::swap(&mut listening.bell, &mut bell);
            }
        }
    }

    /// Listens no more, there and then. Who waits for the [`next`](Self::next) one gets none.
    pub(super) fn stop(&self) {
        if let Some(listening) = self.listening.take() {
            drop(listening);
            hub::with_existing(Hub::wake_for_bell);
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.signals.iter().map(|seen| seen.signal)).finish()
    }
}
