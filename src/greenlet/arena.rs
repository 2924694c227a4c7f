//! Where control blocks live: chunks of them, reused last in, first out.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::core::Core;

const CHUNK: usize = 64;

type Chunk = [UnsafeCell<MaybeUninit<Core>>; CHUNK];

/// The control blocks of one thread. Blocks never move.
#[derive(Default)]
pub(crate) struct Arena {
    chunks: RefCell<Vec<Box<Chunk>>>,
    free: RefCell<Vec<NonNull<Core>>>,
    live: Cell<usize>,
}

impl Arena {
    /// How many blocks are in use.
    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    #[inline]
    pub(crate) fn insert(&self, core: Core) -> NonNull<Core> {
        let mut free = self.free.borrow_mut();
        if free.is_empty() {
            self.grow(&mut free);
        }
        let slot = free.pop().expect("the arena has just grown");
        // SAFETY: a free slot belongs to a chunk of this arena and to nobody else.
        unsafe { slot.write(core) };
        self.live.set(self.live.get() + 1);
        slot
    }

    /// # Safety
    ///
    /// The block came from this arena, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn remove(&self, core: NonNull<Core>) {
        // SAFETY: the caller's word.
        unsafe { core.drop_in_place() };
        self.free.borrow_mut().push(core);
        self.live.set(self.live.get() - 1);
    }

    #[cold]
    fn grow(&self, free: &mut Vec<NonNull<Core>>) {
        let chunk: Box<Chunk> = Box::new([const { UnsafeCell::new(MaybeUninit::uninit()) }; CHUNK]);
        let mut chunks = self.chunks.borrow_mut();
        // `remove` must not allocate: it runs where a greenlet ends.
        free.reserve((chunks.len() + 1) * CHUNK);
        // The first block of the chunk is handed out first.
        free.extend(
            chunk.iter().rev().map(|slot| NonNull::new(slot.get().cast()).expect("a reference is not null")),
        );
        chunks.push(chunk);
    }

    /// Some block in use that the predicate picks.
    pub(crate) fn find(&self, mut pick: impl FnMut(&Core) -> bool) -> Option<NonNull<Core>> {
        let free: std::collections::HashSet<_> = self.free.borrow().iter().copied().collect();
        let chunks = self.chunks.borrow();
        let slots = chunks.iter().flat_map(|chunk| chunk.iter());
        slots
            .filter_map(|slot| NonNull::new(slot.get().cast::<Core>()))
            .filter(|slot| !free.contains(slot))
            // SAFETY: a slot of a chunk that is not free holds a block.
            .find(|slot| pick(unsafe { slot.as_ref() }))
    }
}
