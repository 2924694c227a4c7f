//! What the hub calls on the stack of whoever is in it: calls of timers, posts of other threads, and what becomes of a
//! task that it cannot start.

use super::{Fiber, FiberState, Hub, greenlet_thread};
use crate::greenlet::core::Core;
use crate::greenlet::standing::Mark;
use crate::greenlet::words;

impl Hub {
    /// Calls what must not wait, for somebody who is not the current greenlet. It may go away by hand, though, and
    /// come back as late as at the end of the hub, which looks for the mark. False if the current greenlet [is to
    /// end](Self::is_to_end) then.
    pub(super) fn call_back(&self, call: impl FnOnce()) -> bool {
        // SAFETY: what is current is alive as long as this runs on its stack.
        let me = unsafe { greenlet_thread::current().as_ref() };
        let _marked = (!me.standing.has(Mark::CalledUpon)).then(|| Marked::new(me));
        me.is_newly_unwound.set(false);
        words::without_waiting(call);
        if let Some(fiber) = waiting(me) {
            self.comes_back(fiber, me.is_newly_unwound.take());
        }
        !self.is_to_end()
    }

    /// A greenlet that waits here may have been left in a callback.
    fn comes_back(&self, fiber: &Fiber, is_unwound: bool) {
        if is_unwound {
            // The exit has ended in the callback, which was not what it was for.
            self.ready.remove(fiber);
            fiber.state.set(FiberState::Unwound);
        } else if fiber.state.get() == FiberState::Late {
            fiber.state.set(FiberState::Parked);
            self.make_ready(fiber);
        }
    }

    /// Whether the current greenlet, which looks for who is next, is to end in place of that: because it was
    /// unwound in a callback, or ends anyway, and then somebody waits for just that.
    pub(super) fn is_to_end(&self) -> bool {
        // SAFETY: what is current is alive.
        let me = unsafe { greenlet_thread::current().as_ref() };
        match waiting(me) {
            Some(fiber) => fiber.state.get() == FiberState::Unwound,
            None => self.shutting_down.get() || me.unwinder().is_some(),
        }
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
