//! What the hub does for switches that are not its own.

use std::ptr::NonNull;

use super::{Fiber, Hub, here};
use crate::greenlet::core::Core;
use crate::greenlet::standing::Phase;
use crate::greenlet::thread::Scheduler;
use crate::greenlet::{Raised, life};

/// By these the hub is asked.
pub(super) static FUNCTIONS: Scheduler = Scheduler { pick: || here().pick(), runs: |core| here().runs(core) };

impl Hub {
    /// Who continues when a greenlet ends and its parent, parked, cannot take what it leaves.
    fn pick(&self) -> Result<NonNull<Core>, Raised> {
        if self.is_to_end() {
            return Err(Raised::exit());
        }
        let next = self.next_to_run().ok_or_else(|| self.loop_exit())?;
        // SAFETY: what is in the queue is alive.
        let core = unsafe { next.as_ref() }.core();
        // SAFETY: as above.
        let block = unsafe { core.as_ref() };
        if block.standing.phase() == Phase::Unstarted {
            life::prepare(block).unwrap_or_else(|error| unreachable!("its stack was reserved: {error}"));
        }
        Ok(core)
    }

    /// A greenlet that was suspended by the hub runs, perhaps because somebody raises something in it.
    fn runs(&self, core: &Core) {
        // SAFETY: the record lives as long as its greenlet.
        if let Some(fiber) = unsafe { core.record.get().cast::<Fiber>().as_ref() } {
            self.ends_wait(fiber);
        }
    }
}
