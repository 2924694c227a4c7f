//! Who is ready, first in, first out: a list through the records themselves.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::Fiber;
use crate::arch::prefetch;

pub(crate) struct RunQueue {
    head: Cell<*const Fiber>,
    tail: Cell<*const Fiber>,
    len: Cell<usize>,
}

impl Default for RunQueue {
    fn default() -> Self {
        Self { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()), len: Cell::new(0) }
    }
}

impl RunQueue {
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// The record stays alive and in no other place of the queue until it is popped or removed.
    #[inline]
    pub(crate) fn push(&self, fiber: &Fiber) {
        fiber.next.set(ptr::null());
        match NonNull::new(self.tail.get().cast_mut()) {
            // SAFETY: what is in the queue is alive.
            Some(tail) => unsafe { tail.as_ref() }.next.set(fiber),
            None => self.head.set(fiber),
        }
        self.tail.set(fiber);
        self.len.set(self.len.get() + 1);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<Fiber>> {
        let head = NonNull::new(self.head.get().cast_mut())?;
        // SAFETY: what is in the queue is alive.
        let next = unsafe { head.as_ref() }.next.get();
        self.head.set(next);
        if next.is_null() {
            self.tail.set(ptr::null());
        }
        self.len.set(self.len.get() - 1);
        self.look_ahead();
        Some(head)
    }

    /// Has the processor fetch what those need who come next, while somebody else runs. With many greenlets none of
    /// it is in the caches, and each thing leads to the next: the record to the block, that to the stack. So each
    /// is asked for one turn after the other.
    #[inline(always)]
    fn look_ahead(&self) {
        // SAFETY: what is in the queue is alive, and so are their greenlets.
        unsafe {
            let Some(first) = self.head.get().as_ref() else { return };
            first.core().as_ref().continuation.prefetch();
            let Some(second) = first.next.get().as_ref() else { return };
            prefetch(second.core().as_ptr().cast());
            prefetch(second.next.get().cast());
        }
    }

    /// Takes a record out, if it is there. Takes time: only for what unwinds.
    #[cold]
    pub(crate) fn remove(&self, fiber: &Fiber) {
        for _ in 0..self.len() {
            match self.pop() {
                // SAFETY: what was in the queue is alive.
                Some(other) if !ptr::eq(other.as_ptr(), fiber) => self.push(unsafe { other.as_ref() }),
                _ => {}
            }
        }
    }

    /// Forgets everybody.
    pub(crate) fn clear(&self) {
        while self.pop().is_some() {}
    }
}
