//! Calls that end when a signal has been handled, as a blocking system call does with `EINTR`.
//!
//! A handler leaves a note at its thread's hub, which at the beginning of its next round makes those ready whose
//! waits that ends. It runs in the midst of anything, so leaving the note takes no lock and allocates nothing.

use super::embed::{self, Ended};
use super::one_more::OneMore;
use super::wait_queue::{Leaving, Node};
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
const RESTARTING: u8 = 1;
const INTERRUPTING: u8 = 2;

/// Whose calls end when a signal has been handled.
#[derive(Default)]
pub(super) struct SignalWaiters {
    restart: WaitQueue,
    end: WaitQueue,
}

impl SignalWaiters {
    pub(super) fn wake(&self, handled: u8) {
        if handled & INTERRUPTING != 0 {
            self.restart.wake_all();
        }
        self.end.wake_all();
    }
}

/// Tells a [call](until_signal) whether a signal has been handled that ends it.
pub struct Signal<'a>(Option<&'a Node>);

impl Signal<'_> {
    /// Whether that has happened since the call began.
    pub fn has_come(&self) -> bool {
        self.0.is_some_and(|node| !node.is_queued())
    }

    /// Does a wait of this module, or if the signal has come ends it there and then as
    /// [`Signalled`](Ended::Signalled). One that comes meanwhile ends the wait as well, as [`Woken`](Ended::Woken):
    /// what was waited for may have come too, and goes before.
    pub fn unless_come(&self, wait: impl FnOnce() -> Ended) -> Ended {
        if self.has_come() { Ended::Signalled } else { wait() }
    }
}

/// Does a call that may wait several times. Each of the waits ends early when a handler has
/// [told](note_signal) of a signal that ends such a call.
///
/// ```
/// use std::time::{Duration, Instant};
/// use greenlet::hub::embed::{Ended, OnSignal, note_signal, sleep_until, until_signal};
///
/// let sleeper = greenlet::spawn(|| {
///     until_signal(OnSignal::End, |signal| {
///         let ended = signal.unless_come(|| sleep_until(Instant::now() + Duration::from_secs(60)));
///         (ended, signal.has_come())
///     })
/// });
/// greenlet::yield_now();
/// note_signal(true); // by a handler that was installed with SA_RESTART
/// assert_eq!(sleeper.join().unwrap(), (Ended::Woken, true));
/// ```
pub fn until_signal<R>(on_signal: OnSignal, call: impl FnOnce(&Signal<'_>) -> R) -> R {
    let Some(hub) = embed::hub_at_rest() else { return call(&Signal(None)) };
    // What was handled before is nothing to this call.
    hub.remote.see_to_signals(hub);
    let waiters = match on_signal {
        OnSignal::Restart => &hub.signals.restart,
        OnSignal::End => &hub.signals.end,
    };
    let entered = hub.enter_call();
    let nodes = [Node::new(())];
    let _waiting = Leaving(&nodes);
    // SAFETY: the node is borrowed, and so stays where it is, until it has left; so do the count and the hub.
    unsafe { waiters.enter_kept(&nodes[0], entered.greenlet()) };
    call(&Signal(Some(&nodes[0])))
}

/// To be called by a handler of a signal: those calls of this thread's greenlets end that [such a signal
/// ends](until_signal). `restarts` says whether the handler was installed with `SA_RESTART`.
///
/// Fit for a handler: it takes no lock, allocates nothing and does not wait, but it may change `errno`.
pub fn note_signal(restarts: bool) {
    if let Some(hub) = existing() {
        hub.remote.note_signal(if restarts { RESTARTING } else { INTERRUPTING });
    }
}

/// Calls a handler of a signal, which may have interrupted the hub in the midst of anything: while it runs nobody
/// [can wait](embed::can_wait) on this thread, and whom it wakes becomes ready once it has returned.
///
/// It has to return. After one that is left by `siglongjmp` nobody waits on this thread any more.
pub fn while_handling<R>(handler: impl FnOnce() -> R) -> R {
    let hub = existing();
    let _kept = hub.map(Hub::keep_during_call);
    let _counted = hub.map(|hub| OneMore::of(&hub.handlers));
    handler()
}

impl Hub {
    /// Whether a signal handler runs, and so nothing of the hub's is to be touched.
    pub(super) fn is_interrupted_by_a_handler(&self) -> bool {
        self.handlers.get() > 0
    }
}
