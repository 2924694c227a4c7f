//! What the hub calls on the stack of whoever is in it: calls of timers, posts of other threads, and what becomes of a
//! task that it cannot start.

use super::{Cause, Fiber, Hub, Interrupt, greenlet_thread};
use crate::greenlet::GreenletExit;
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
        let unwinder = me.unwinder();
        words::without_waiting(call);
        if me.unwinder() != unwinder && me.unwinder().is_some() {
            self.keep_exit_due(me);
        }
        self.cut_short.set(self.has_no_time());
    }

    /// An exit that was raised in the current greenlet ended in a callback, which was not what it was for.
    #[cold]
    fn keep_exit_due(&self, me: &Core) {
        // SAFETY: the record lives as long as its greenlet.
        if let Some(fiber) = unsafe { me.record.get().cast::<Fiber>().as_ref() } {
            self.interrupt(fiber, Interrupt::Unwind(Cause::Kill, Box::new(GreenletExit)));
        }
    }

    /// Whether the current greenlet, which looks for who is next, is not to wait until there is somebody: it ends with
    /// its thread, or ends anyway and somebody has begun to wait for just that.
    pub(super) fn has_no_time(&self) -> bool {
        // SAFETY: what is current is alive, and its record as long.
        let is_unwound_at_its_end = || unsafe {
            let me = greenlet_thread::current().as_ref();
            let waits = me.record.get().cast::<Fiber>().as_ref().is_some_and(Fiber::is_in_hub);
            !waits && me.unwinder().is_some()
        };
        self.shutting_down.get() || is_unwound_at_its_end()
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
