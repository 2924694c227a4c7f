//! Blocks that wait for their next user, one pool a thread.
//!
//! They are never freed: the loader would lose what the C library keeps in them, such as free pieces
//! of memory. Blocks of threads that have ended go to others.
//!
//! Nothing here allocates but a block that is made: a greenlet gives its own back at its very end, where an
//! allocator that wants to wait could not.

use std::cell::Cell;
use std::sync::Mutex;

use super::glibc::glibc;
use super::{Anchor, Block};
use crate::lock::lock;

/// Those of threads that have ended.
static LEFT: Mutex<Pile> = Mutex::new(Pile { top: None });

/// Blocks, each of which knows the one below.
#[derive(Default)]
struct Pile {
    top: Option<Block>,
}

/// Blocks of one thread.
#[derive(Default)]
pub(crate) struct Pool {
    free: Cell<Pile>,
}

impl Pool {
    /// A block as for a new thread. A [`probe`](super::probe) has found that there can be one. `anchor` is
    /// the same in all calls. `foresee` is shown its place in a used block, which is in force for a while as it
    /// is renewed: a signal handler may look there.
    pub(crate) fn take(&self, anchor: Anchor, foresee: impl FnOnce(*const ())) -> Block {
        let used = self.change(Pile::pop).or_else(left_by_another_thread);
        let Some(block) = used else { return Block::new(glibc(), anchor) };
        foresee(block.anchor());
        // SAFETY: it is nobody's, and came here clean.
        unsafe { block.renew(anchor.len) };
        block
    }

    /// Gives a block back, unless its user has left destructors to be run: then nobody will use it again.
    ///
    /// # Safety
    ///
    /// It came from a pool, and its user has [ended](Block::end_user) and leaves it before the pool is
    /// asked for a block.
    pub(crate) unsafe fn give_back(&self, block: Block) {
        if block.is_clean() {
            // SAFETY: it is nobody's, and in no pile.
            self.change(|free| unsafe { free.push(block) });
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Pile) -> R) -> R {
        let mut free = self.free.take();
        let result = change(&mut free);
        self.free.set(free);
        result
    }
}

impl Pile {
    /// # Safety
    ///
    /// The block is nobody's, and in no pile.
    unsafe fn push(&mut self, block: Block) {
        block.below().set(self.top.replace(block));
    }

    fn pop(&mut self) -> Option<Block> {
        let top = self.top?;
        self.top = top.below().take();
        Some(top)
    }
}

fn left_by_another_thread() -> Option<Block> {
    // Who finds it locked makes one anew: no greenlet waits for another thread here.
    LEFT.try_lock().ok()?.pop()
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut left = lock(&LEFT);
        let mut free = self.free.take();
        while let Some(block) = free.pop() {
            // SAFETY: it was in this pool, and now is in none.
            unsafe { left.push(block) };
        }
    }
}
