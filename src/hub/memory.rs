//! Where tasks and sources are kept: memory of a few sizes that each thread uses again.
//!
//! A task is often made as another one is gone, and of the same size; the system's allocator would
//! be half of what a short task costs.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::greenlet::thread::on_thread;
use crate::greenlet::words::{self, Kept};

/// Sizes are rounded up to a multiple of this, and half of it: what allocators hand out in multiples of it,
/// with half of it for themselves...
const STEP: usize = 16;
/// ... and larger ones than so many steps are left to the system.
const SIZES: usize = 32;
/// How many free pieces of one size a thread keeps for later.
const KEPT: usize = 4096;

thread_local! {
    static FREE: Lists = const { Lists([const { List { first: Cell::new(None), len: Cell::new(0) } }; SIZES]) };
}

/// What memory a type takes.
pub(crate) struct Size {
    layout: Layout,
    /// The list of its size, if there is one.
    list: Option<usize>,
}

struct Lists([List; SIZES]);

/// Free pieces of one size.
struct List {
    first: Cell<Option<NonNull<Free>>>,
    len: Cell<usize>,
}

/// What is in a free piece.
struct Free {
    next: Option<NonNull<Free>>,
}

const _: () = assert!(size_of::<Free>() <= STEP / 2 && align_of::<Free>() <= STEP);

impl Size {
    pub(crate) const fn of<X>() -> Self {
        let layout = Layout::new::<X>();
        assert!(layout.size() > 0, "what takes no room needs no memory");
        let list = layout.size().saturating_sub(STEP / 2).div_ceil(STEP);
        if list < SIZES && layout.align() <= STEP {
            Self { layout: of_list(list), list: Some(list) }
        } else {
            Self { layout, list: None }
        }
    }
}

const fn of_list(list: usize) -> Layout {
    match Layout::from_size_align(list * STEP + STEP / 2, STEP) {
        Ok(layout) => layout,
        Err(_) => panic!("a few hundred bytes are not too many"),
    }
}

/// The lists of this thread, unless it is ending and they are gone. To be used at once.
#[inline]
fn lists<'a>() -> Option<&'a Lists> {
    // SAFETY: kept as long as they are there.
    unsafe { words::kept(Kept::Memory).cast::<Lists>().as_ref() }.or_else(first_lists)
}

#[cold]
fn first_lists<'a>() -> Option<&'a Lists> {
    let lists = on_thread(|| FREE.try_with(ptr::from_ref).ok())?;
    words::keep(Kept::Memory, lists.cast());
    // SAFETY: their destructor, which runs at the end of the thread, takes the word back.
    Some(unsafe { &*lists })
}

/// Memory of this size.
#[inline]
pub(crate) fn take(size: &'static Size) -> NonNull<u8> {
    let used = size.list.and_then(|list| lists()?.0[list].pop());
    used.unwrap_or_else(|| fresh(size))
}

#[cold]
fn fresh(size: &'static Size) -> NonNull<u8> {
    // SAFETY: no size is zero.
    NonNull::new(unsafe { alloc(size.layout) }).unwrap_or_else(|| handle_alloc_error(size.layout))
}

/// Takes memory back.
///
/// # Safety
///
/// It is from [`take`], of this size, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn give_back(memory: NonNull<u8>, size: &'static Size) {
    let kept = size.list.is_some_and(|list| {
        // SAFETY: the caller's word; it is of the list's size, whichever thread took it.
        lists().is_some_and(|lists| unsafe { lists.0[list].push(memory) })
    });
    if !kept {
        // SAFETY: the caller's word.
        unsafe { dealloc(memory.as_ptr(), size.layout) };
    }
}

impl List {
    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let piece = self.first.get()?;
        // SAFETY: pieces in the list are free, and `push` wrote this.
        self.first.set(unsafe { piece.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        Some(piece.cast())
    }

    /// Keeps a piece, unless there are enough.
    ///
    /// # Safety
    ///
    /// It is of this list's size, and free.
    #[inline]
    unsafe fn push(&self, memory: NonNull<u8>) -> bool {
        if self.len.get() >= KEPT {
            return false;
        }
        let piece = memory.cast();
        // SAFETY: large enough and aligned, and free by the caller's word.
        unsafe { piece.write(Free { next: self.first.get() }) };
        self.first.set(Some(piece));
        self.len.set(self.len.get() + 1);
        true
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        words::keep(Kept::Memory, ptr::null());
        for (index, list) in self.0.iter().enumerate() {
            while let Some(memory) = list.pop() {
                // SAFETY: it was allocated so, by the word given to `push`.
                unsafe { dealloc(memory.as_ptr(), of_list(index)) };
            }
        }
    }
}
