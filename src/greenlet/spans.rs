//! Memory for chunks, most of which are neighbours.
//!
//! A chunk begins at a multiple of a power of two that is no less than its size, so that the address of what is in
//! it tells where it begins. Each by itself would leave a gap before the next one, so they come in spans.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::places::Places;

/// A span has as many chunks as there are already, within these bounds: each begins and ends with a page that is partly
/// lost, and what is not used yet takes no memory of the system's; and there is one set of places for them.
const SHORTEST: usize = 8;
const LONGEST: usize = Places::MOST;

/// With fewer spare chunks than this there was no peak. So at the end of an epoch there is a span to be freed.
#[cfg(feature = "hub")]
const PEAK: usize = 2 * LONGEST;

/// Where chunks come from. Those that have not come back when this is dropped keep their memory.
pub(crate) struct Spans<Chunk> {
    /// The first of the spans that have vacant chunks, linked by their `next`.
    open: Cell<Option<NonNull<Span<Chunk>>>>,
    /// How many chunks there are.
    chunks: Cell<usize>,
    /// How many of them are in spans that are all vacant, and the fewest that were since the last epoch ended.
    spare: Cell<usize>,
    least: Cell<usize>,
}

/// Neighbours.
pub(crate) struct Span<Chunk> {
    start: NonNull<Chunk>,
    len: usize,
    vacant: Cell<Places>,
    next: Cell<Option<NonNull<Span<Chunk>>>>,
}

impl<Chunk> Spans<Chunk> {
    /// From one chunk to the next.
    const STEP: usize = size_of::<Chunk>().next_power_of_two();

    pub(crate) const fn new() -> Self {
        Self { open: Cell::new(None), chunks: Cell::new(0), spare: Cell::new(0), least: Cell::new(0) }
    }

    /// The chunk that an address is in, with the provenance of its span.
    #[inline]
    pub(crate) fn chunk_of(address: usize) -> *mut Chunk {
        ptr::with_exposed_provenance_mut(address & !(Self::STEP - 1))
    }

    /// Memory for a chunk, and the span that it is to be given back to.
    pub(crate) fn take(&self) -> (NonNull<Chunk>, NonNull<Span<Chunk>>) {
        let first = self.open.get().unwrap_or_else(|| self.grow());
        // SAFETY: spans in the list are there.
        let span = unsafe { first.as_ref() };
        if span.is_vacant() {
            self.spare.update(|spare| spare - span.len);
            self.least.set(self.least.get().min(self.spare.get()));
        }
        let mut vacant = span.vacant.get();
        let place = vacant.take_lowest().expect("those in the list have vacant chunks");
        span.vacant.set(vacant);
        if vacant.is_empty() {
            self.open.set(span.next.take());
        }
        // SAFETY: places are those of the span's chunks.
        (unsafe { span.start.byte_add(place * Self::STEP) }, first)
    }

    #[cold]
    fn grow(&self) -> NonNull<Span<Chunk>> {
        let len = self.chunks.get().clamp(SHORTEST, LONGEST);
        let span = NonNull::from(Box::leak(Box::new(Span::new(len))));
        self.chunks.update(|chunks| chunks + len);
        self.spare.update(|spare| spare + len);
        // Not before: an allocator may have wanted chunks meanwhile.
        // SAFETY: nobody can free what is not in the list.
        unsafe { span.as_ref() }.next.set(self.open.replace(Some(span)));
        span
    }

    /// # Safety
    ///
    /// The chunk and its span are from [`take`](Self::take), and nobody uses the chunk any more.
    pub(crate) unsafe fn give_back(&self, chunk: NonNull<Chunk>, span: NonNull<Span<Chunk>>) {
        // SAFETY: a span stays while a chunk of it is in use.
        let this = unsafe { span.as_ref() };
        let place = (chunk.addr().get() - this.start.addr().get()) / Self::STEP;
        let mut vacant = this.vacant.get();
        if vacant.is_empty() {
            this.next.set(self.open.replace(Some(span)));
        }
        vacant.insert(place);
        this.vacant.set(vacant);
        if this.is_vacant() {
            self.spare.update(|spare| spare + this.len);
        }
    }

    /// How many chunks there are.
    #[cfg(all(test, feature = "hub"))]
    pub(crate) fn len(&self) -> usize {
        self.chunks.get()
    }

    /// Whether so many are spare that some may be for a peak that is over.
    #[cfg(feature = "hub")]
    pub(crate) fn may_be_past_a_peak(&self) -> bool {
        self.spare.get() >= PEAK
    }

    /// Frees what nobody has wanted since the last epoch ended.
    #[cfg(feature = "hub")]
    pub(crate) fn end_epoch(&self) {
        let mut unwanted = self.least.get().min(self.spare.get().saturating_sub(PEAK - LONGEST));
        let mut freed = None::<NonNull<Span<Chunk>>>;
        let mut place = &self.open;
        while let Some(span) = place.get() {
            // SAFETY: spans in the list are there.
            let this = unsafe { span.as_ref() };
            if !this.is_vacant() || this.len > unwanted {
                place = &this.next;
                continue;
            }
            unwanted -= this.len;
            self.chunks.update(|chunks| chunks - this.len);
            self.spare.update(|spare| spare - this.len);
            place.set(this.next.replace(freed.replace(span)));
        }
        self.least.set(self.spare.get());
        // Not before: an allocator may let others run, who want chunks.
        // SAFETY: vacant, and no more in the list.
        unsafe { free_all(freed) };
    }
}

impl<Chunk> Drop for Spans<Chunk> {
    fn drop(&mut self) {
        // SAFETY: nobody asks for chunks any more. One that is in use stays, with its span.
        unsafe { free_all(self.open.take()) };
    }
}

/// Frees those of the linked spans that are vacant.
///
/// # Safety
///
/// They are there, and nobody takes chunks from them any more.
unsafe fn free_all<Chunk>(mut first: Option<NonNull<Span<Chunk>>>) {
    while let Some(span) = first {
        // SAFETY: the caller's word; it was boxed by `grow`.
        unsafe {
            first = span.as_ref().next.get();
            if span.as_ref().is_vacant() {
                drop(Box::from_raw(span.as_ptr()));
            }
        }
    }
}

impl<Chunk> Span<Chunk> {
    fn new(len: usize) -> Self {
        let layout = Self::layout(len);
        // SAFETY: the layout is of one chunk at least, and chunks have a size.
        let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        start.expose_provenance();
        Self { start: start.cast(), len, vacant: Cell::new(Places::lowest_of(len)), next: Cell::new(None) }
    }

    fn layout(len: usize) -> Layout {
        let step = Spans::<Chunk>::STEP;
        Layout::from_size_align(len * step, step).expect("a few pages are not too many")
    }

    fn is_vacant(&self) -> bool {
        self.vacant.get() == Places::lowest_of(self.len)
    }
}

impl<Chunk> Drop for Span<Chunk> {
    fn drop(&mut self) {
        // SAFETY: allocated so, and nobody has a pointer into it: all of it is vacant.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) };
    }
}
