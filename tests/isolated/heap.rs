//! Counts what is allocated, and does what a test asks for while it allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static HEAP: Counting = Counting { bytes: AtomicUsize::new(0) };

/// The system's allocator, with a count of the bytes that were not given back.
struct Counting {
    bytes: AtomicUsize,
}

thread_local! {
    static MEANWHILE: Cell<Option<fn()>> = const { Cell::new(None) };
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        if layout.align() >= PAGE
            && let Some(call) = MEANWHILE.take()
        {
            call();
        }
        // SAFETY: the caller's word.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's word.
        unsafe { System.dealloc(memory, layout) }
    }
}

const PAGE: usize = 4096;

/// Has the allocator make a call before this thread is given whole pages the next time.
pub fn meanwhile(call: fn()) {
    MEANWHILE.set(Some(call));
}

/// How many bytes are allocated now.
pub fn allocated() -> usize {
    HEAP.bytes.load(Ordering::Relaxed)
}
