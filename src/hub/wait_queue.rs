//! Who waits for one thing, first in, first out: a list through nodes on the waiters' stacks.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::{Fiber, Hub};

/// A queue of parked greenlets.
pub(crate) struct WaitQueue {
    head: Cell<*const Node>,
    tail: Cell<*const Node>,
}

/// A place in a queue, on the stack of the one who waits.
pub(crate) struct Node {
    fiber: NonNull<Fiber>,
    next: Cell<*const Node>,
    previous: Cell<*const Node>,
    queued: Cell<bool>,
}

impl Node {
    pub(crate) fn new(fiber: &Fiber) -> Self {
        Self {
            fiber: NonNull::from(fiber),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            queued: Cell::new(false),
        }
    }

    /// Whether nobody has woken it yet.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }
}

impl std::fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "nobody waits" } else { "somebody waits" })
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    pub(crate) const fn new() -> Self {
        Self { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Puts the node at the end.
    ///
    /// # Safety
    ///
    /// The node does not move and the queue stays alive until the guard is dropped, and the guard
    /// is dropped, not forgotten.
    pub(crate) unsafe fn enter<'a>(&'a self, node: &'a Node) -> Queued<'a> {
        let last = self.tail.get();
        node.previous.set(last);
        node.queued.set(true);
        self.tail.set(node);
        // SAFETY: nodes in the queue are alive.
        match unsafe { last.as_ref() } {
            Some(last) => last.next.set(node),
            None => self.head.set(node),
        }
        Queued { queue: self, node }
    }

    /// Makes the first one ready and takes it out; false if nobody waits.
    #[inline]
    pub(crate) fn wake_one(&self, hub: &Hub) -> bool {
        // SAFETY: nodes in the queue are alive, and so are the greenlets that wait in them.
        let Some(node) = (unsafe { self.head.get().as_ref() }) else { return false };
        self.remove(node);
        // SAFETY: as above.
        hub.make_ready(unsafe { node.fiber.as_ref() });
        true
    }

    /// Makes everybody ready who waits now.
    pub(crate) fn wake_all(&self, hub: &Hub) {
        while self.wake_one(hub) {}
    }

    /// As [`wake_all`](Self::wake_all), through another way to make ready.
    pub(crate) fn drain(&self, mut make_ready: impl FnMut(&Fiber)) {
        // SAFETY: as in `wake_one`.
        while let Some(node) = unsafe { self.head.get().as_ref() } {
            self.remove(node);
            // SAFETY: as in `wake_one`.
            make_ready(unsafe { node.fiber.as_ref() });
        }
    }

    #[inline]
    fn remove(&self, node: &Node) {
        let (previous, next) = (node.previous.get(), node.next.get());
        // SAFETY: neighbours of a node in the queue are alive.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.head.set(next),
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(previous),
            None => self.tail.set(previous),
        }
        node.queued.set(false);
    }
}

/// Takes its node out of the queue when dropped.
pub(crate) struct Queued<'a> {
    queue: &'a WaitQueue,
    node: &'a Node,
}

impl Drop for Queued<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.queue.remove(self.node);
        }
    }
}
