//! What a [`Select`](super::Select) chooses from.

use std::cell::Cell;

use crate::greenlet::words;
use crate::hub::{Fiber, Node, Ring, WaitQueue, Waitable, Watched};
use crate::queue::{GetError, PutError, QueueOf, Storage};

/// One thing that may happen, and what to make of it.
pub(super) trait Case<R> {
    /// Makes it happen, if that needs no waiting.
    fn try_now(&self) -> bool;

    /// Gets in line for it to happen.
    ///
    /// # Safety
    ///
    /// The case does not move before the greenlet, which is the current one, [leaves](Self::leave).
    unsafe fn enter(&self, ring: &Ring, fiber: &Fiber);

    /// Whether the greenlet that got in line was woken for this.
    fn is_woken(&self) -> bool;

    /// Gets out of line.
    fn leave(&self);

    /// Makes happen what the greenlet was woken for.
    fn accept(&self);

    /// Leaves what the greenlet was woken for to somebody else.
    fn pass_on(&self);

    /// It has happened: makes the result.
    fn finish(self: Box<Self>) -> R;
}

/// Getting an item.
pub(super) struct GetCase<'a, S: Storage, F> {
    queue: &'a QueueOf<S>,
    node: Node,
    got: Cell<Option<Result<S::Item, GetError>>>,
    then: F,
}

impl<'a, S: Storage, F> GetCase<'a, S, F> {
    pub(super) fn new(queue: &'a QueueOf<S>, then: F) -> Self {
        Self { queue, node: Node::new(()), got: Cell::new(None), then }
    }
}

impl<S: Storage, R, F: FnOnce(Result<S::Item, GetError>) -> R> Case<R> for GetCase<'_, S, F> {
    fn try_now(&self) -> bool {
        let got = match self.queue.take() {
            Some(item) => Some(Ok(item)),
            None if self.queue.is_shut_down() => Some(Err(GetError::ShutDown)),
            None => None,
        };
        let happened = got.is_some();
        self.got.set(got);
        happened
    }

    unsafe fn enter(&self, ring: &Ring, fiber: &Fiber) {
        // SAFETY: by the caller's word. The queue is borrowed for longer than the case lives.
        unsafe {
            ring.join(&self.node);
            self.queue.getters.enter(&self.node, fiber);
        }
    }

    fn is_woken(&self) -> bool {
        self.node.is_chosen()
    }

    fn leave(&self) {
        self.node.leave();
    }

    fn accept(&self) {
        self.got.set(Some(self.queue.take_claimed()));
    }

    fn pass_on(&self) {
        self.queue.give_up_claim();
    }

    fn finish(self: Box<Self>) -> R {
        let Self { got, then, .. } = *self;
        then(got.into_inner().expect("it has happened"))
    }
}

/// Putting an item.
pub(super) struct PutCase<'a, S: Storage, F> {
    queue: &'a QueueOf<S>,
    /// Where the item is as long as it is not put.
    item: &'a Cell<Option<S::Item>>,
    node: Node<Cell<Option<S::Item>>>,
    put: Cell<Option<Result<(), PutError<S::Item>>>>,
    then: F,
}

impl<'a, S: Storage, F> PutCase<'a, S, F> {
    pub(super) fn new(queue: &'a QueueOf<S>, item: &'a mut Option<S::Item>, then: F) -> Self {
        let node = Node::new(Cell::new(None));
        Self { queue, item: Cell::from_mut(item), node, put: Cell::new(None), then }
    }
}

impl<S: Storage, R, F: FnOnce(Result<(), PutError<S::Item>>) -> R> Case<R> for PutCase<'_, S, F> {
    fn try_now(&self) -> bool {
        let Some(item) = self.item.take() else { return false };
        match self.queue.try_put(item) {
            Err(PutError::Full(item)) => {
                self.item.set(Some(item));
                false
            }
            put => {
                self.put.set(Some(put));
                true
            }
        }
    }

    unsafe fn enter(&self, ring: &Ring, fiber: &Fiber) {
        // SAFETY: by the caller's word. The queue is borrowed for longer than the case lives.
        unsafe {
            ring.join(&self.node);
            if let Some(item) = self.item.take() {
                self.node.cargo().set(Some(item));
                self.queue.putters.enter(&self.node, fiber);
            }
        }
    }

    fn is_woken(&self) -> bool {
        self.node.is_chosen()
    }

    fn leave(&self) {
        self.node.leave();
        self.item.set(self.node.cargo().take());
    }

    fn accept(&self) {
        self.put.set(Some(self.queue.settle(self.item.take())));
    }

    fn pass_on(&self) {
        self.queue.give_up_place();
    }

    fn finish(self: Box<Self>) -> R {
        let Self { put, then, .. } = *self;
        then(put.into_inner().expect("it has happened"))
    }
}

/// Something that wakes all who wait for it.
pub(super) struct WhenCase<'a, W: ?Sized, F> {
    what: &'a W,
    /// Where one waits for it, once it was asked. It may be anybody's type and do anything when it is
    /// asked, so that is over before the greenlet is in the first line.
    waiting: Cell<Option<&'a WaitQueue>>,
    node: Node,
    then: F,
}

impl<'a, W: ?Sized, F> WhenCase<'a, W, F> {
    pub(super) fn new(what: &'a W, then: F) -> Self {
        Self { what, waiting: Cell::new(None), node: Node::new(()), then }
    }
}

impl<W: Waitable + ?Sized, R, F: FnOnce() -> R> Case<R> for WhenCase<'_, W, F> {
    fn try_now(&self) -> bool {
        // If it waited, what has been tried before might come meanwhile, and would not be noticed.
        let Watched { is_ready, waiting } = words::without_waiting(|| self.what.watched());
        self.waiting.set(Some(waiting));
        is_ready
    }

    unsafe fn enter(&self, ring: &Ring, fiber: &Fiber) {
        let waiting = self.waiting.get().expect("it was tried first");
        // SAFETY: by the caller's word. What is waited for is borrowed for longer than the case lives.
        unsafe {
            ring.join(&self.node);
            waiting.enter(&self.node, fiber);
        }
    }

    fn is_woken(&self) -> bool {
        self.node.is_chosen()
    }

    fn leave(&self) {
        self.node.leave();
    }

    fn accept(&self) {}

    fn pass_on(&self) {}

    fn finish(self: Box<Self>) -> R {
        (self.then)()
    }
}
