//! The end of a hub, which comes with the end of its thread.

use std::ptr;

use super::{ENDED, Fiber, FiberState, Hub};
use crate::greenlet::core::Core;
use crate::greenlet::life;
use crate::greenlet::standing::{Mark, Phase};
use crate::greenlet::tag::Tag;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::words::{self, Kept};

impl Hub {
    /// Whether the thread ends, so that nothing new may start.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.get()
    }

    /// Unwinds every greenlet that the hub knows, while there is still a hub to unwind with.
    fn shut_down(&self) {
        self.shutting_down.set(true);
        drop_each(self.remote.close());
        self.ready.clear();
        self.forget_timers();
        // One that is about to end has no record any more, and may have been left in a callback.
        let known = |core: &Core| !core.record.get().is_null() || core.standing.has(Mark::CalledUpon);
        greenlet_thread::for_each(|core| {
            // SAFETY: the record lives as long as its greenlet.
            if let Some(fiber) = unsafe { core.record.get().cast::<Fiber>().as_ref() }
                && core.standing.phase() == Phase::Unstarted
            {
                fiber.state.set(FiberState::Ended);
            }
        });
        greenlet_thread::end_all(|core| known(core) || core.waits_for.get() == Tag::PARKED);
    }

    fn forget_timers(&self) {
        // Nothing is borrowed while they are dropped.
        let calls = self.timers.borrow_mut().clear();
        drop_each(calls);
    }
}

/// Drops what may own anything, where nobody is told of a panic: that is reported.
fn drop_each<T>(all: impl IntoIterator<Item = T>) {
    // SAFETY: what is current is alive.
    let me = unsafe { greenlet_thread::current().as_ref() };
    all.into_iter().for_each(|one| life::quietly(me, || drop(one)));
}

/// Ends the thread's hub when the thread-locals are destroyed.
pub(super) struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let Some(hub) = super::place() else { return };
        if !greenlet_thread::current_is_root() {
            // The process exits from within a greenlet, and leaves everything behind.
            return;
        }
        // SAFETY: the hub is alive until the box is dropped below.
        unsafe { hub.as_ref() }.shut_down();
        words::keep(Kept::Hub, ptr::null());
        ENDED.set(true);
        // SAFETY: the current greenlet is alive.
        unsafe { greenlet_thread::current().as_ref() }.thread().scheduler.set(None);
        // Those that were set meanwhile. There are no more from here on.
        // SAFETY: as above: the hub is alive.
        unsafe { hub.as_ref() }.forget_timers();
        // SAFETY: as above.
        #[cfg(target_os = "linux")]
        if unsafe { hub.as_ref() }.is_left_to_calls() {
            // The body of a generator that is kept somewhere goes on with it, if only to unwind.
            return;
        }
        // SAFETY: leaked by `create`; every greenlet that used it has been unwound, or abandoned and is
        // never continued.
        drop(unsafe { Box::from_raw(hub.as_ptr()) });
    }
}
