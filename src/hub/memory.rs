//! Where tasks and sources are kept: pieces of a few sizes, of which each thread has its own.
//!
//! A task is often made as another one is gone, and of the same size; the system's allocator would be half of
//! what a short task costs. And it would add some bytes to each, and give out the place that came back last,
//! wherever that is. Here pieces of a size share a chunk, and an empty chunk begins anew at its low end: where
//! many are made at once, after others have gone in whatever order, they are neighbours again.
//!
//! Memory goes back to the system some time after a peak, together with that of the stacks.

#[cfg(test)]
mod tests;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::greenlet::spans::{Span, Spans};
use crate::greenlet::thread::on_thread;
use crate::greenlet::words::{self, Kept};

/// Sizes are rounded up to a multiple of this...
const STEP: usize = 8;
/// ... and larger ones than so many steps are left to the system.
const SIZES: usize = 64;

/// What a chunk takes, and what its header takes of that.
const CHUNK: usize = 4096;
const HEADER: usize = 48;

thread_local! {
    static OWNER: Owner = const { Owner(Cell::new(None)) };
}

/// What memory a type takes.
pub(crate) struct Size {
    layout: Layout,
    /// How many steps it is, if chunks have such pieces...
    steps: Option<usize>,
    /// ... and how many of them.
    pieces: u16,
}

/// The thread, which keeps its lists until it ends.
struct Owner(Cell<Option<NonNull<Lists>>>);

/// The chunks of a thread. They stay until its thread-locals are gone and the last piece has come back, which may be
/// later. What is wanted later still is from lists without an owner, which go whenever they are empty.
struct Lists {
    /// By steps: the first of the chunks that have free pieces, linked both ways. Only this one is ever empty.
    open: [Cell<Option<NonNull<Chunk>>>; SIZES + 1],
    spans: Spans<Chunk>,
    /// How many chunks are in use, and one for the thread.
    keepers: Cell<usize>,
    has_owner: Cell<bool>,
}

/// Pieces of one size.
#[repr(C)]
struct Chunk {
    lists: NonNull<Lists>,
    /// Where its memory is from.
    span: NonNull<Span<Chunk>>,
    /// Its neighbours among the open ones.
    previous: Cell<Option<NonNull<Chunk>>>,
    next: Cell<Option<NonNull<Chunk>>>,
    /// The last piece to come back, which knows the one before it.
    free: Cell<Option<NonNull<Free>>>,
    /// How many bytes of the room have been used since it was empty: those at its low end.
    fresh: Cell<u16>,
    /// How many pieces are free, fresh ones included.
    left: Cell<u16>,
    room: UnsafeCell<[MaybeUninit<u8>; CHUNK - HEADER]>,
}

/// What is in a free piece.
struct Free {
    next: Option<NonNull<Free>>,
}

const _: () = assert!(size_of::<Chunk>() == CHUNK);
const _: () = assert!(size_of::<Free>() <= STEP && align_of::<Free>() <= STEP);

impl Size {
    pub(crate) const fn of<X>() -> Self {
        let layout = Layout::new::<X>();
        assert!(layout.size() > 0, "what takes no room needs no memory");
        let steps = layout.size().div_ceil(STEP);
        // A size is a multiple of its alignment: if the first piece of a chunk is aligned, all are.
        let fits = steps <= SIZES && HEADER.is_multiple_of(layout.align());
        if fits {
            Self { layout, steps: Some(steps), pieces: pieces(steps) }
        } else {
            Self { layout, steps: None, pieces: 0 }
        }
    }
}

/// How many pieces of so many steps a chunk has.
const fn pieces(steps: usize) -> u16 {
    ((CHUNK - HEADER) / (steps * STEP)) as u16
}

/// Memory of this size.
#[inline]
pub(crate) fn take(size: &'static Size) -> NonNull<u8> {
    let Some(steps) = size.steps else { return take_of_system(size.layout) };
    let lists = lists();
    let chunk = lists.open[steps].get().unwrap_or_else(|| lists.grow(steps));
    // SAFETY: the chunks in a list are there and have free pieces, of that many steps.
    unsafe {
        let (piece, left) = Chunk::pop(chunk, steps);
        if left == 0 {
            lists.close(chunk, steps);
        }
        piece
    }
}

fn take_of_system(layout: Layout) -> NonNull<u8> {
    // SAFETY: no size is zero.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Takes memory back.
///
/// # Safety
///
/// It is from [`take`], of this size, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn give_back(memory: NonNull<u8>, size: &'static Size) {
    let Some(steps) = size.steps else {
        // SAFETY: the caller's word.
        return unsafe { dealloc(memory.as_ptr(), size.layout) };
    };
    // SAFETY: the piece is in a chunk by the caller's word, and the chunk stays while a piece is in use, and the lists
    // while a chunk is.
    unsafe {
        let chunk = NonNull::new_unchecked(Spans::<Chunk>::chunk_of(memory.addr().get()));
        let left = chunk.as_ref().push(memory.cast());
        if left == 1 {
            chunk.as_ref().lists.as_ref().open(chunk, steps);
        }
        if left == size.pieces {
            Lists::put_away(chunk, steps);
        }
    }
}

/// Whether so much is spare that some of it may be for a peak that is over.
pub(super) fn may_be_past_a_peak() -> bool {
    kept_lists().is_some_and(|lists| lists.spans.may_be_past_a_peak())
}

/// Ends an epoch: what nobody has wanted since the last one ended goes back to the system.
pub(super) fn end_epoch() {
    if let Some(lists) = kept_lists() {
        lists.spans.end_epoch();
    }
}

/// Makes the lists of this thread, so that they stay for what is registered later to be done at its end.
pub(super) fn prepare() {
    lists();
}

/// The lists of this thread. To be used at once.
#[inline]
fn lists<'a>() -> &'a Lists {
    kept_lists().unwrap_or_else(make_lists)
}

#[inline]
fn kept_lists<'a>() -> Option<&'a Lists> {
    // SAFETY: who frees or disowns them takes the word back.
    unsafe { words::kept(Kept::Memory).cast::<Lists>().as_ref() }
}

/// Makes the thread's lists; or where it is ending and its own are gone, some that stay until they are empty again.
#[cold]
fn make_lists<'a>() -> &'a Lists {
    let is_owner_there = on_thread(|| OWNER.try_with(|_| ())).is_ok();
    let made = Box::new(Lists::new(is_owner_there));
    // An allocator may have wanted some meanwhile.
    if let Some(lists) = kept_lists() {
        return lists;
    }
    let lists = NonNull::from(Box::leak(made));
    words::keep(Kept::Memory, lists.as_ptr().cast());
    // Where there is none, that is known.
    let _ = on_thread(|| OWNER.try_with(|owner| owner.0.set(Some(lists))));
    // SAFETY: kept by the thread, or until a chunk of theirs has come and gone.
    unsafe { lists.as_ref() }
}

impl Drop for Owner {
    fn drop(&mut self) {
        words::keep(Kept::Memory, ptr::null());
        if let Some(lists) = self.0.take() {
            // SAFETY: this has kept them until now.
            unsafe { Lists::disown(lists) };
        }
    }
}

impl Lists {
    fn new(has_owner: bool) -> Self {
        Self {
            open: [const { Cell::new(None) }; SIZES + 1],
            spans: Spans::new(),
            keepers: Cell::new(has_owner.into()),
            has_owner: Cell::new(has_owner),
        }
    }

    /// A chunk of free pieces.
    #[cold]
    fn grow(&self, steps: usize) -> NonNull<Chunk> {
        // First: an allocator may leave this greenlet for the rest of the thread's life.
        self.keepers.update(|keepers| keepers + 1);
        let (chunk, span) = self.spans.take();
        // SAFETY: memory of a chunk, which is nobody else's.
        unsafe {
            Chunk::begin(chunk, NonNull::from(self), span, steps);
            self.open(chunk, steps);
        }
        chunk
    }

    /// Puts a chunk into its list, behind the first one: only where that is full another one gives out pieces.
    ///
    /// # Safety
    ///
    /// It is a chunk of such pieces, with a free one, and in no list.
    #[inline(never)]
    unsafe fn open(&self, chunk: NonNull<Chunk>, steps: usize) {
        // SAFETY: by the caller's word, and as chunks in a list are there.
        unsafe {
            let first = &self.open[steps];
            let Some(previous) = first.get() else { return first.set(Some(chunk)) };
            let next = previous.as_ref().next.replace(Some(chunk));
            chunk.as_ref().previous.set(Some(previous));
            chunk.as_ref().next.set(next);
            if let Some(next) = next {
                next.as_ref().previous.set(Some(chunk));
            }
        }
    }

    /// Takes a chunk out of its list.
    ///
    /// # Safety
    ///
    /// It is in it.
    #[inline(never)]
    unsafe fn close(&self, chunk: NonNull<Chunk>, steps: usize) {
        // SAFETY: by the caller's word, and as chunks in a list are there.
        unsafe {
            let previous = chunk.as_ref().previous.take();
            let next = chunk.as_ref().next.take();
            match previous {
                Some(previous) => previous.as_ref().next.set(next),
                None => self.open[steps].set(next),
            }
            if let Some(next) = next {
                next.as_ref().previous.set(previous);
            }
        }
    }

    /// Of a chunk that has just become empty. The first one stays for the thread.
    ///
    /// # Safety
    ///
    /// It is of such pieces, in its list, and empty.
    unsafe fn put_away(chunk: NonNull<Chunk>, steps: usize) {
        // SAFETY: the lists stay while a chunk is in use, and this is one.
        unsafe {
            let lists = chunk.as_ref().lists;
            let this = lists.as_ref();
            if this.open[steps].get() == Some(chunk) && this.has_owner.get() {
                return chunk.as_ref().renew();
            }
            this.close(chunk, steps);
            this.spans.give_back(chunk, chunk.as_ref().span);
            Self::release(lists);
        }
    }

    /// # Safety
    ///
    /// They had an owner until now.
    unsafe fn disown(lists: NonNull<Self>) {
        // SAFETY: the owner has kept them until now.
        unsafe {
            let this = lists.as_ref();
            this.has_owner.set(false);
            for steps in 1..=SIZES {
                if let Some(first) = this.open[steps].get()
                    && first.as_ref().left.get() == pieces(steps)
                {
                    Self::put_away(first, steps);
                }
            }
            Self::release(lists);
        }
    }

    /// # Safety
    ///
    /// There is a keeper that is no more.
    unsafe fn release(lists: NonNull<Self>) {
        // SAFETY: kept until now. Without keepers, nobody has a pointer to them.
        unsafe {
            let left = lists.as_ref().keepers.get() - 1;
            lists.as_ref().keepers.set(left);
            if left == 0 {
                if ptr::eq(words::kept(Kept::Memory).cast(), lists.as_ptr()) {
                    words::keep(Kept::Memory, ptr::null());
                }
                drop(Box::from_raw(lists.as_ptr()));
            }
        }
    }
}

impl Chunk {
    /// # Safety
    ///
    /// It is memory of a chunk, from the span, and nobody else's.
    unsafe fn begin(this: NonNull<Self>, lists: NonNull<Lists>, span: NonNull<Span<Self>>, steps: usize) {
        // Piece by piece: there may be little room on this stack.
        // SAFETY: the caller's word. The room needs no values.
        unsafe {
            let this = this.as_ptr();
            (&raw mut (*this).lists).write(lists);
            (&raw mut (*this).span).write(span);
            (&raw mut (*this).previous).write(Cell::new(None));
            (&raw mut (*this).next).write(Cell::new(None));
            (&raw mut (*this).free).write(Cell::new(None));
            (&raw mut (*this).fresh).write(Cell::new(0));
            (&raw mut (*this).left).write(Cell::new(pieces(steps)));
        }
    }

    /// From now on, its pieces are given out from the low end.
    fn renew(&self) {
        self.free.set(None);
        self.fresh.set(0);
    }

    /// A piece, and how many are left.
    ///
    /// # Safety
    ///
    /// There is one, and it is of so many steps.
    #[inline]
    unsafe fn pop(this: NonNull<Self>, steps: usize) -> (NonNull<u8>, u16) {
        // SAFETY: by the caller's word.
        unsafe {
            let chunk = this.as_ref();
            let left = chunk.left.get() - 1;
            chunk.left.set(left);
            if let Some(piece) = chunk.free.get() {
                chunk.free.set(piece.as_ref().next);
                return (piece.cast(), left);
            }
            let used = chunk.fresh.get() as usize;
            chunk.fresh.set((used + steps * STEP) as u16);
            (this.cast().byte_add(HEADER + used), left)
        }
    }

    /// Takes a piece back, and says how many there are.
    ///
    /// # Safety
    ///
    /// It is a piece of this chunk, and nobody uses it any more.
    #[inline]
    unsafe fn push(&self, piece: NonNull<Free>) -> u16 {
        // SAFETY: large enough and aligned, and nobody else's, by the caller's word.
        unsafe { piece.write(Free { next: self.free.replace(Some(piece)) }) };
        let left = self.left.get() + 1;
        self.left.set(left);
        left
    }
}
