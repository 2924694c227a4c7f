//! What the hub calls on the stack of whoever is in it: calls of timers, posts of other threads, and what becomes of a
//! task that it cannot start.

use super::{Cause, Fiber, FiberState, Hub, Interrupt, greenlet_thread};
use crate::greenlet::GreenletExit;
use crate::greenlet::core::Core;
use crate::greenlet::standing::Mark;
use crate::greenlet::words;

impl Hub {
    /// Calls what must not wait, for somebody who is not the current greenlet. It may go away by hand, though, and
    /// come back as late as at the end of the hub, which looks for the mark. False if it [is
    /// awaited](Self::is_awaited) then.
    pub(super) fn call_back(&self, call: impl FnOnce()) -> bool {
        // SAFETY: what is current is alive as long as this runs on its stack.
        let me = unsafe { greenlet_thread::current().as_ref() };
        let _marked = (!me.standing.has(Mark::CalledUpon)).then(|| Marked::new(me));
        let unwinder = me.unwinder();
        words::without_waiting(call);
        let is_unwound = self.shutting_down.get() || me.unwinder() != unwinder && me.unwinder().is_some();
        if is_unwound && let Some(fiber) = waiting(me) {
            self.keep_exit_due(fiber);
        }
        !self.is_awaited()
    }

    /// An exit that was raised in one that waits has ended in a callback, which was not what it was for.
    #[cold]
    fn keep_exit_due(&self, me: &Fiber) {
        if self.shutting_down.get() {
            // Nobody else has a turn any more.
            self.ready.clear();
            me.state.set(FiberState::Parked);
        }
        self.interrupt(me, Interrupt::Unwind(Cause::Kill, Box::new(GreenletExit)));
    }

    /// Whether the current greenlet, which looks for who is next, ends, and somebody waits for just that.
    pub(super) fn is_awaited(&self) -> bool {
        // SAFETY: what is current is alive.
        let me = unsafe { greenlet_thread::current().as_ref() };
        waiting(me).is_none() && (self.shutting_down.get() || me.unwinder().is_some())
    }
}

/// The record of a greenlet that waits in the hub.
fn waiting(core: &Core) -> Option<&Fiber> {
    // SAFETY: a record lives as long as its greenlet.
    let record = unsafe { core.record.get().cast::<Fiber>().as_ref() };
    record.filter(|fiber| fiber.state.get() != FiberState::Running)
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
