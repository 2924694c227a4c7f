//! Where control blocks live: chunks of them, reused last in, first out.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use super::core::{Core, Phase};
use super::thread::Thread;
use crate::stack::SizeClass;

const CHUNK: usize = 64;

/// The control blocks of one thread. Blocks never move, and go away with the arena.
#[derive(Default)]
pub(crate) struct Arena {
    chunks: RefCell<Vec<NonNull<[Core; CHUNK]>>>,
    /// The first of the vacant blocks, linked by their parent fields.
    vacant: Cell<Option<NonNull<Core>>>,
    live: Cell<usize>,
}

impl Arena {
    /// How many blocks are in use.
    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    /// A block for a new greenlet.
    #[inline]
    pub(crate) fn take(&self, thread: NonNull<Thread>) -> NonNull<Core> {
        let core = self.vacant.get().unwrap_or_else(|| self.grow(thread));
        // SAFETY: a vacant block belongs to this arena and to nobody else.
        self.vacant.set(unsafe { core.as_ref() }.parent.take());
        self.live.set(self.live.get() + 1);
        core
    }

    /// # Safety
    ///
    /// The block came from this arena, nobody uses it any more, and its parent field is `None`.
    #[inline]
    pub(crate) unsafe fn give_back(&self, core: NonNull<Core>) {
        // SAFETY: the block stays in its chunk.
        let block = unsafe { core.as_ref() };
        block.parent.set(self.vacant.replace(Some(core)));
        self.live.set(self.live.get() - 1);
    }

    /// Makes a chunk of vacant blocks and returns the first.
    #[cold]
    fn grow(&self, thread: NonNull<Thread>) -> NonNull<Core> {
        let chunk = Box::new(std::array::from_fn(|_| Core::vacant(thread, SizeClass::DEFAULT)));
        let chunk = NonNull::from(Box::leak(chunk));
        self.chunks.borrow_mut().push(chunk);
        // SAFETY: just made, and kept until the arena goes.
        let blocks = unsafe { chunk.as_ref() };
        let first = blocks.iter().rev().fold(None, |next, block| {
            block.parent.set(next);
            Some(NonNull::from(block))
        });
        first.expect("a chunk has blocks")
    }

    /// Some greenlet that is not dead and that the predicate picks.
    pub(crate) fn find(&self, mut pick: impl FnMut(&Core) -> bool) -> Option<NonNull<Core>> {
        let chunks = self.chunks.borrow();
        // SAFETY: chunks stay until the arena goes.
        let mut blocks = chunks.iter().flat_map(|chunk| unsafe { chunk.as_ref() });
        blocks.find(|block| block.phase.get() != Phase::Dead && pick(block)).map(NonNull::from)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for chunk in self.chunks.take() {
            // SAFETY: leaked by `grow`. No block is in use, so nobody has a pointer into it.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}
