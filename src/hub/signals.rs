//! Waits that end when a signal has been handled, as a blocking system call does with `EINTR`.
//!
//! A handler leaves a note at its thread's hub, which at the beginning of its next round makes those ready whose
//! waits that ends. It runs in the midst of anything, so leaving the note takes no lock and allocates nothing.

use super::embed::{self, Ended};
use super::wait_queue::Node;
use super::{Hub, WaitQueue, existing};

/// What a blocking call does when a signal has been handled. `signal(7)` has it for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSignal {
    /// It goes on if the handler was installed with `SA_RESTART`, and ends otherwise: `read`, `accept`, `waitpid`.
    Restart,
    /// It ends in any case: `poll`, `nanosleep`, an operation on a socket that has a timeout.
    End,
}

/// What was handled since the hub looked last, in bits.
pub(super) const RESTARTING: u8 = 1;
pub(super) const INTERRUPTING: u8 = 2;

/// Who waits until a signal at the latest.
#[derive(Default)]
pub(super) struct SignalWaiters {
    restart: WaitQueue,
    end: WaitQueue,
}

impl SignalWaiters {
    pub(super) fn wake(&self, hub: &Hub, handled: u8) {
        if handled & INTERRUPTING != 0 {
            self.restart.wake_all(hub);
        }
        self.end.wake_all(hub);
    }
}

/// Does a wait of this module, which ends as [`Signalled`](Ended::Signalled) too: when a handler has
/// [told](note_signal) of a signal that ends such a call.
///
/// ```
/// use std::time::{Duration, Instant};
/// use greenlet::hub::embed::{Ended, OnSignal, note_signal, sleep_until, until_signal};
///
/// let sleeper = greenlet::spawn(|| {
///     until_signal(OnSignal::End, || sleep_until(Instant::now() + Duration::from_secs(60)))
/// });
/// greenlet::yield_now();
/// note_signal(true); // by a handler that was installed with SA_RESTART
/// assert_eq!(sleeper.join().unwrap(), Ended::Signalled);
/// ```
pub fn until_signal(on_signal: OnSignal, wait: impl FnOnce() -> Ended) -> Ended {
    let Some(hub) = embed::hub_at_rest() else { return wait() };
    let waiters = match on_signal {
        OnSignal::Restart => &hub.signals.restart,
        OnSignal::End => &hub.signals.end,
    };
    let node = Node::new(());
    let waiting = Leaving(&node);
    // SAFETY: the node is borrowed, and so stays where it is, until it has left, when this function ends; its
    // greenlet is the one that runs this function.
    unsafe { waiters.enter(waiting.0, hub.current()) };
    match wait() {
        Ended::Woken if !node.is_queued() => Ended::Signalled,
        ended => ended,
    }
}

/// To be called by a handler of a signal: waits of this thread's greenlets end that [such a signal
/// ends](until_signal). `restarts` says whether the handler was installed with `SA_RESTART`.
///
/// Fit for a handler: it takes no lock, allocates nothing and does not wait, but it may change `errno`.
pub fn note_signal(restarts: bool) {
    if let Some(hub) = existing() {
        hub.remote.note_signal(if restarts { RESTARTING } else { INTERRUPTING });
    }
}

/// Takes the node out of its queue when dropped.
struct Leaving<'a>(&'a Node);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
