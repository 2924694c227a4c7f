//! When nobody can ever run again.
//!
//! The root is told, with a list of who waits for what, by a panic where it waits. Semantics:
//! gevent's `LoopExit`.

use super::{Fiber, FiberState, Hub, Interrupt};
use crate::greenlet::tag::Wake;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::{Greenlet, Raised, life};

impl Hub {
    /// Nothing will ever happen here again: tells the root, if it waits in the hub.
    #[cold]
    pub(super) fn interrupt_root(&self) -> bool {
        let root = Greenlet::<Wake>::root();
        // SAFETY: the root lives as long as its thread, and its record as long as that.
        let fiber = unsafe { root.core_ptr().as_ref().record.get().cast::<Fiber>().as_ref() };
        let parked = fiber.filter(|fiber| fiber.state.get() == FiberState::Parked);
        match parked {
            Some(fiber) if self.joining.take().is_some() => self.make_ready(fiber),
            Some(fiber) => self.interrupt(fiber, Interrupt::panic(self.who_waits())),
            None => {}
        }
        parked.is_some()
    }

    /// The same for a root that waits for a greenlet which it switched to by hand.
    #[cold]
    pub(super) fn loop_exit(&self) -> Raised {
        Raised::from_payload(Box::new(self.who_waits()))
    }

    /// The text of a LoopExit.
    pub(super) fn who_waits(&self) -> String {
        /// A list of all would be of no more use.
        const NAMED: usize = 100;
        let mut report =
            String::from("LoopExit: nothing is left that could wake anybody, and these greenlets wait:");
        let mut waiting = 0;
        greenlet_thread::for_each(|core| {
            // SAFETY: the record lives as long as its greenlet.
            if let Some(fiber) = unsafe { core.record.get().cast::<Fiber>().as_ref() }
                && fiber.state.get() == FiberState::Parked
            {
                waiting += 1;
                if waiting <= NAMED {
                    let name = life::describe(core);
                    report.push_str(&format!("\n  {name}: {}", fiber.waits_on()));
                }
            }
        });
        if waiting > NAMED {
            report.push_str(&format!("\n  and {} more", waiting - NAMED));
        }
        report
    }
}
