//! What the hub calls on the stack of whoever is in it: calls of timers, posts of other threads, and what becomes of a
//! task that it cannot start.

use super::{Hub, greenlet_thread};
use crate::greenlet::core::Core;
use crate::greenlet::standing::Mark;
use crate::greenlet::words;

impl Hub {
    /// Calls what must not wait, for somebody who is not the current greenlet. It may go away by hand, though, and
    /// come back as late as at the end of the hub, which looks for the mark.
    pub(super) fn call_back(&self, call: impl FnOnce()) {
        // SAFETY: what is current is alive as long as this runs on its stack.
        let me = unsafe { greenlet_thread::current().as_ref() };
        let _marked = (!me.standing.has(Mark::CalledUpon)).then(|| Marked::new(me));
        words::without_waiting(call);
    }
}

/// Until dropped, a greenlet has the mark.
struct Marked<'a>(&'a Core);

impl<'a> Marked<'a> {
    fn new(core: &'a Core) -> Self {
        core.standing.set(Mark::CalledUpon, true);
        Self(core)
    }
}

impl Drop for Marked<'_> {
    fn drop(&mut self) {
        self.0.standing.set(Mark::CalledUpon, false);
    }
}
