//! Parking by hand: what everything else that waits is made of.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::WaitQueue;
use crate::time::deadline;

/// Waits for its [`Unparker`]s.
///
/// A parker holds at most one permit. [`unpark`](Unparker::unpark) makes it available and
/// [`park`](Self::park) consumes it, at once or when it comes: a wake that arrives first is not
/// lost, and one that arrives late wakes nobody else. The semantics are those of
/// [`std::thread::park`], for a greenlet. How else a wait may end: [Waiting](super#waiting).
///
/// ```
/// let parker = greenlet::hub::Parker::new();
/// let unparker = parker.unparker();
/// drop(greenlet::spawn(move || unparker.unpark()));
/// parker.park(); // lets the task run, which unparks
/// ```
#[derive(Default)]
pub struct Parker {
    permit: Rc<Permit>,
}

/// Wakes a [`Parker`] of the same thread.
#[derive(Clone)]
pub struct Unparker {
    permit: Rc<Permit>,
}

#[derive(Default)]
struct Permit {
    available: Cell<bool>,
    waiting: WaitQueue,
}

impl Parker {
    /// A parker without a permit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another handle that wakes this one.
    pub fn unparker(&self) -> Unparker {
        Unparker { permit: self.permit.clone() }
    }

    /// Waits for a permit and consumes it.
    #[track_caller]
    pub fn park(&self) {
        self.wait(None);
    }

    /// As [`park`](Self::park), for at most this long. Whether there was a permit.
    #[track_caller]
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        self.wait(Some(timeout))
    }

    #[track_caller]
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = deadline(timeout);
        super::spend_budget();
        // Whoever is unwound after its wake leaves the permit to the next one.
        let pass_on = || {
            self.permit.waiting.wake_one();
        };
        while !self.permit.available.get() {
            if !super::here().wait_for_hand_over(&self.permit.waiting, deadline, "a parker", &pass_on) {
                break;
            }
        }
        self.permit.available.replace(false)
    }
}

impl Unparker {
    /// Makes the permit available, and wakes the parker if it waits.
    pub fn unpark(&self) {
        self.permit.available.set(true);
        self.permit.waiting.wake_one();
    }
}
