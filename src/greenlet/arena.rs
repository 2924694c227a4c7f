//! Where control blocks live: chunks of them.
//!
//! The last block to come back is the first to go out. All others wait in their chunk, of which one after the
//! other gives out what it has, from the low end: where many greenlets are made at once, after others have ended
//! in whatever order, the processor still finds the next block before it is asked for.

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use super::core::Core;
use super::spans::{Span, Spans};
use super::standing::Phase;
use super::thread::Thread;
use crate::places::Places;
use crate::stack::SizeClass;

/// The control blocks of one thread. Blocks never move, and go away with the arena.
pub(crate) struct Arena {
    chunks: RefCell<Vec<NonNull<Chunk>>>,
    /// The memory that they are made of.
    spans: Spans<Chunk>,
    /// The last block that came back, until somebody takes it or the next one comes.
    last: Cell<Option<NonNull<Core>>>,
    /// The first of the chunks that have vacant blocks, linked by their `next`.
    open: Cell<Option<NonNull<Chunk>>>,
}

/// Blocks, and which of them are vacant.
#[repr(C)]
struct Chunk {
    /// Without the last block to come back.
    vacant: Cell<Places>,
    next: Cell<Option<NonNull<Chunk>>>,
    /// Where its memory is from.
    span: NonNull<Span<Chunk>>,
    blocks: [Core; BLOCKS],
}

/// One fewer than a set has places: the set is in the room of the last one.
const BLOCKS: usize = Places::MOST - 1;

impl Arena {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: RefCell::new(Vec::new()),
            spans: Spans::new(),
            last: Cell::new(None),
            open: Cell::new(None),
        }
    }

    /// How many blocks are in use. Counts the others.
    pub(crate) fn in_use(&self) -> usize {
        let chunks = self.chunks.borrow();
        // SAFETY: chunks stay until the arena goes.
        let used = |chunk: &NonNull<Chunk>| BLOCKS - unsafe { chunk.as_ref() }.vacant.get().len();
        chunks.iter().map(used).sum::<usize>() - usize::from(self.last.get().is_some())
    }

    /// The block that came back last, for a new greenlet, unless somebody has taken it or it is for stacks of
    /// another class. Its parent field says nothing.
    #[inline]
    pub(crate) fn take_last(&self, class: SizeClass) -> Option<NonNull<Core>> {
        // SAFETY: chunks stay until the arena goes.
        let last = self.last.get().filter(|last| unsafe { last.as_ref() }.class.get() == class)?;
        self.last.set(None);
        Some(last)
    }

    fn take_from_chunk(&self) -> Option<NonNull<Core>> {
        // SAFETY: chunks stay until the arena goes.
        let chunk = unsafe { self.open.get()?.as_ref() };
        let mut vacant = chunk.vacant.get();
        let place = vacant.take_lowest()?;
        chunk.vacant.set(vacant);
        if vacant.is_empty() {
            self.open.set(chunk.next.take());
        }
        Some(NonNull::from(&chunk.blocks[place]))
    }

    /// Any block for a new greenlet, if one is vacant. Its parent field says nothing.
    pub(crate) fn take(&self) -> Option<NonNull<Core>> {
        self.last.take().or_else(|| self.take_from_chunk())
    }

    /// # Safety
    ///
    /// The block came from this arena, nobody uses it any more, and the count in its parent field, if it
    /// is one, is the caller's.
    #[inline]
    pub(crate) unsafe fn give_back(&self, core: NonNull<Core>) {
        if let Some(earlier) = self.last.replace(Some(core)) {
            self.put_away(earlier);
        }
    }

    #[inline(never)]
    fn put_away(&self, core: NonNull<Core>) {
        // SAFETY: the block is in a chunk, by the word given to `give_back`, and that stays until the arena goes.
        let chunk = unsafe { &*Spans::<Chunk>::chunk_of(core.addr().get()) };
        let place = (core.addr().get() - chunk.blocks.as_ptr().addr()) / size_of::<Core>();
        let mut vacant = chunk.vacant.get();
        if vacant.is_empty() {
            chunk.next.set(self.open.replace(Some(NonNull::from(chunk))));
        }
        vacant.insert(place);
        chunk.vacant.set(vacant);
    }

    /// Makes a chunk of vacant blocks.
    #[cold]
    pub(crate) fn grow(&self, thread: NonNull<Thread>) {
        let (chunk, span) = self.spans.take();
        // Piece by piece: this may run on the smallest of stacks.
        // SAFETY: memory of this layout, which is nobody else's.
        unsafe {
            (&raw mut (*chunk.as_ptr()).vacant).write(Cell::new(Places::lowest_of(BLOCKS)));
            (&raw mut (*chunk.as_ptr()).next).write(Cell::new(None));
            (&raw mut (*chunk.as_ptr()).span).write(span);
            let first = (&raw mut (*chunk.as_ptr()).blocks).cast::<Core>();
            (0..BLOCKS).for_each(|n| first.add(n).write(Core::vacant(thread, SizeClass::DEFAULT)));
        }
        self.chunks.borrow_mut().push(chunk);
        // Not before: an allocator may have given blocks back meanwhile.
        // SAFETY: just made, and kept until the arena goes.
        unsafe { chunk.as_ref() }.next.set(self.open.replace(Some(chunk)));
    }

    /// Looks at every block, vacant or not.
    pub(crate) fn for_each(&self, look: impl Fn(&Core)) {
        // SAFETY: chunks stay until the arena goes.
        self.chunks.borrow().iter().flat_map(|chunk| &unsafe { chunk.as_ref() }.blocks).for_each(look);
    }

    /// The next greenlet from `place` on that is not dead and that the predicate picks; `place` moves
    /// behind it.
    pub(crate) fn find(
        &self,
        place: &mut usize,
        mut pick: impl FnMut(&Core) -> bool,
    ) -> Option<NonNull<Core>> {
        let chunks = self.chunks.borrow();
        while let Some(chunk) = chunks.get(*place / BLOCKS) {
            // SAFETY: chunks stay until the arena goes.
            let block = &unsafe { chunk.as_ref() }.blocks[*place % BLOCKS];
            *place += 1;
            if block.standing.phase() != Phase::Dead && pick(block) {
                return Some(NonNull::from(block));
            }
        }
        None
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for chunk in self.chunks.take() {
            // SAFETY: made by `grow`. No block is in use, so nobody has a pointer into it.
            unsafe {
                let span = chunk.as_ref().span;
                ptr::drop_in_place(chunk.as_ptr());
                self.spans.give_back(chunk, span);
            }
        }
    }
}
