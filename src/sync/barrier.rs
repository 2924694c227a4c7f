//! Waiting for one another.

use std::cell::Cell;

use crate::hub::{self, WaitQueue};

/// Where a number of greenlets wait until all of them are there ([`std::sync::Barrier`] for greenlets).
///
/// One that is killed or timed out while it waits is not there any more: it takes another one to
/// complete the number. A barrier can be used again and again.
///
/// ```
/// use std::rc::Rc;
/// use greenlet::sync::Barrier;
///
/// let barrier = Rc::new(Barrier::new(3));
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let barrier = barrier.clone();
///         greenlet::spawn(move || barrier.wait().is_leader())
///     })
///     .collect();
/// let leaders = tasks.into_iter().filter_map(|task| task.join().ok()).filter(|leads| *leads);
/// assert_eq!(leaders.count(), 1);
/// ```
#[derive(Debug)]
pub struct Barrier {
    needed: usize,
    /// Who is there and not let through yet.
    present: Cell<usize>,
    waiting: WaitQueue,
}

/// What a greenlet is told when it is let through a [`Barrier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    /// Whether it is the one who came last, for whom the others have waited.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl Barrier {
    /// A barrier for `n` greenlets. For none it is as for one, as in std.
    pub const fn new(n: usize) -> Self {
        Self { needed: n, present: Cell::new(0), waiting: WaitQueue::new() }
    }

    /// Waits until as many greenlets as the barrier is for are here.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        hub::spend_budget();
        let present = self.present.get() + 1;
        if present >= self.needed {
            self.present.set(0);
            self.waiting.wake_all();
            return BarrierWaitResult { is_leader: true };
        }
        self.present.set(present);
        let gone = Gone { barrier: self };
        hub::here().wait(&self.waiting, None, "the others at a barrier");
        std::mem::forget(gone);
        BarrierWaitResult { is_leader: false }
    }
}

/// Dropped by a greenlet that is unwound where it waits.
struct Gone<'a> {
    barrier: &'a Barrier,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        // It has left the queue, unless it had been let through already.
        self.barrier.present.set(self.barrier.waiting.len());
    }
}
