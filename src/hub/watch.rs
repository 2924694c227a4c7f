//! Waiting for whichever of many comes first.
//!
//! A watch has a place in the wait queues of any number of things and is told of each that wakes
//! its queue, in that order. It takes part in no hand-over: what it watches must be something
//! that wakes everybody.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::wait_queue::Node;
use super::{Fiber, WaitQueue};
use crate::greenlet::words;

/// What can be waited for together with others, by [`wait`](crate::wait) and
/// [`iwait`](crate::iwait).
///
/// Implemented for what wakes all who wait for it. Types outside of this crate can pass the call on
/// to one that implements it, and do no more than that: where it is asked, nobody can wait.
pub trait Waitable {
    /// Whether there is nothing to wait for, and where one waits otherwise.
    #[doc(hidden)]
    fn watched(&self) -> Watched<'_>;
}

/// What a [`Waitable`] tells of itself.
#[doc(hidden)]
pub struct Watched<'a> {
    pub(crate) is_ready: bool,
    pub(crate) waiting: &'a WaitQueue,
}

impl<W: Waitable + ?Sized> Waitable for &W {
    fn watched(&self) -> Watched<'_> {
        (**self).watched()
    }
}

impl<W: Waitable + ?Sized> Waitable for std::rc::Rc<W> {
    fn watched(&self) -> Watched<'_> {
        (**self).watched()
    }
}

/// Places in many wait queues, and what was woken of them.
pub(crate) struct Watch {
    /// Queues point to them, so none of them moves. The first two have the same
    /// length, and each further one that of all before it.
    chunks: Vec<Rc<[Place]>>,
    /// How many places there are, how many have ever been used, and those that are free again.
    capacity: usize,
    used: usize,
    free: Vec<usize>,
    finds: Rc<Finds>,
}

/// What has been woken and not been asked for yet.
struct Finds {
    /// Has room for all places.
    tokens: RefCell<VecDeque<usize>>,
    waiting: WaitQueue,
}

/// A place in a wait queue.
pub(super) struct Place {
    node: Node,
    token: usize,
    finds: Rc<Finds>,
}

impl Watch {
    /// With room for so many; it grows if there are more.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let finds = Finds { tokens: RefCell::default(), waiting: WaitQueue::new() };
        let finds = Rc::new(finds);
        let mut watch = Self { chunks: Vec::new(), capacity: 0, used: 0, free: Vec::new(), finds };
        watch.grow(capacity.max(1));
        watch
    }

    /// Watches one more thing, and returns the token under which it will be found: the smallest of
    /// those that were never used, or one that is free again.
    ///
    /// # Safety
    ///
    /// The queue stays alive and where it is until it is found or the watch is dropped.
    pub(crate) unsafe fn add(&mut self, watched: Watched<'_>) -> usize {
        let token = self.free.pop().unwrap_or(self.used);
        if token == self.used {
            if token == self.capacity {
                self.grow(token);
            }
            self.used += 1;
        }
        if watched.is_ready {
            self.finds.tokens.borrow_mut().push_back(token);
        } else {
            let place = self.place(token);
            // SAFETY: the place stays where it is, and leaves before the watch goes; for the queue, the
            // caller's word.
            unsafe { watched.waiting.enter_watched(&place.node, place) };
        }
        token
    }

    /// How many are watched and have not been found.
    pub(crate) fn len(&self) -> usize {
        self.used - self.free.len()
    }

    /// The next one that has been woken, waiting for it if need be; `None` if `until` comes first.
    #[track_caller]
    pub(crate) fn next(&mut self, until: Option<Instant>) -> Option<usize> {
        let mut found = self.finds.take();
        while found.is_none() {
            let woken = super::here().wait(&self.finds.waiting, until, "the first of several");
            found = self.finds.take();
            if !woken {
                break;
            }
        }
        self.free.push(found?);
        found
    }

    /// Makes room for so many more.
    fn grow(&mut self, by: usize) {
        // If others ran, one that has been looked at might be woken before it is watched.
        words::without_waiting(|| {
            let first = self.capacity;
            self.capacity += by;
            let place = |token| Place { node: Node::new(()), token, finds: self.finds.clone() };
            self.chunks.push((first..self.capacity).map(place).collect());
            let mut tokens = self.finds.tokens.borrow_mut();
            let waiting = tokens.len();
            tokens.reserve(self.capacity - waiting);
        });
    }

    fn place(&self, token: usize) -> &Place {
        let first = self.chunks[0].len();
        if token < first {
            return &self.chunks[0][token];
        }
        let log = (token / first).ilog2();
        &self.chunks[log as usize + 1][token - (first << log)]
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).for_each(|place| place.node.leave());
    }
}

impl Place {
    /// Called by a queue that has woken it.
    pub(super) fn note(&self, make_ready: impl FnOnce(&Fiber)) {
        self.finds.tokens.borrow_mut().push_back(self.token);
        self.finds.waiting.wake_through(make_ready);
    }
}

impl Finds {
    fn take(&self) -> Option<usize> {
        self.tokens.borrow_mut().pop_front()
    }
}
