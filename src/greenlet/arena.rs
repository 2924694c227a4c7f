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
    chunks: RefCell<Vec<NonNull<[Core]>>>,
    /// The first of the vacant blocks, linked by their parent fields.
    vacant: Cell<Option<NonNull<Core>>>,
}

impl Arena {
    /// How many blocks are in use. Counts the others.
    pub(crate) fn in_use(&self) -> usize {
        let mut vacant = 0;
        let mut next = self.vacant.get();
        while let Some(core) = next {
            vacant += 1;
            // SAFETY: a vacant block stays in its chunk.
            next = unsafe { core.as_ref() }.parent.get();
        }
        CHUNK * self.chunks.borrow().len() - vacant
    }

    /// A block for a new greenlet, if one is vacant. Its parent field is still the link of the list.
    #[inline]
    pub(crate) fn take(&self) -> Option<NonNull<Core>> {
        let core = self.vacant.get()?;
        // SAFETY: a vacant block belongs to this arena and to nobody else.
        self.vacant.set(unsafe { core.as_ref() }.parent.get());
        Some(core)
    }

    /// As [`take`](Self::take), and makes blocks where none is vacant.
    pub(crate) fn take_or_grow(&self, thread: NonNull<Thread>) -> NonNull<Core> {
        if self.vacant.get().is_none() {
            self.grow(thread);
        }
        self.take().expect("a chunk has blocks")
    }

    /// # Safety
    ///
    /// The block came from this arena, nobody uses it any more, and the count in its parent field, if it
    /// is one, is the caller's.
    #[inline]
    pub(crate) unsafe fn give_back(&self, core: NonNull<Core>) {
        // SAFETY: the block stays in its chunk.
        let block = unsafe { core.as_ref() };
        block.parent.set(self.vacant.replace(Some(core)));
    }

    /// Makes a chunk of vacant blocks.
    #[cold]
    fn grow(&self, thread: NonNull<Thread>) {
        // Made on the heap, element by element: this may run on the smallest of stacks.
        let chunk: Vec<Core> = (0..CHUNK).map(|_| Core::vacant(thread, SizeClass::DEFAULT)).collect();
        let chunk = NonNull::from(Box::leak(chunk.into_boxed_slice()));
        self.chunks.borrow_mut().push(chunk);
        // SAFETY: just made, and kept until the arena goes.
        for block in unsafe { chunk.as_ref() }.iter().rev() {
            block.parent.set(self.vacant.replace(Some(NonNull::from(block))));
        }
    }

    /// The next greenlet from `place` on that is not dead and that the predicate picks; `place` moves
    /// behind it.
    pub(crate) fn find(
        &self,
        place: &mut usize,
        mut pick: impl FnMut(&Core) -> bool,
    ) -> Option<NonNull<Core>> {
        let chunks = self.chunks.borrow();
        while let Some(chunk) = chunks.get(*place / CHUNK) {
            // SAFETY: chunks stay until the arena goes.
            let block = &unsafe { chunk.as_ref() }[*place % CHUNK];
            *place += 1;
            if block.phase.get() != Phase::Dead && pick(block) {
                return Some(NonNull::from(block));
            }
        }
        None
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
