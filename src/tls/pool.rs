//! Blocks that wait for their next user, one pool a thread.
//!
//! They are never freed: the loader would lose what the C library keeps in them, such as free pieces
//! of memory. Blocks of threads that have ended go to others.

use std::cell::RefCell;
use std::sync::Mutex;

use super::glibc::glibc;
use super::{Block, Locate};

/// Those of threads that have ended.
static LEFT: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// Blocks of one thread.
#[derive(Default)]
pub(crate) struct Pool {
    free: RefCell<Vec<Block>>,
}

impl Pool {
    /// A block as for a new thread. A [`probe`](super::probe) has found that there can be one. `locate` is
    /// the same in all calls.
    pub(crate) fn take(&self, locate: Locate) -> Block {
        let used = self.free.borrow_mut().pop().or_else(left_by_another_thread);
        let Some(block) = used else { return Block::new(glibc(), locate) };
        // SAFETY: it is nobody's, and came here clean.
        unsafe { block.renew() };
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
            self.free.borrow_mut().push(block);
        }
    }
}

fn left_by_another_thread() -> Option<Block> {
    // Who finds it locked makes one anew: no greenlet waits for another thread here.
    LEFT.try_lock().ok()?.pop()
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut left = LEFT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        left.append(self.free.get_mut());
    }
}
