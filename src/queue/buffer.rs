//! Queues with room: how much of it, and what is in it.

use std::time::Duration;

use super::storage::Buffer;
use super::{GetError, QueueOf};
use crate::greenlet::words;

impl<S: Buffer> QueueOf<S> {
    /// A queue that takes any number of items.
    pub const fn unbounded() -> Self {
        Self::with_capacity(usize::MAX)
    }

    /// A queue that holds at most `capacity` items; putting more waits.
    ///
    /// # Panics
    ///
    /// If the capacity is zero: that is a [`Channel`](super::Channel).
    pub const fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "a queue of capacity 0 lets nothing pass: use a Channel");
        Self::with_capacity(capacity)
    }

    /// How many items the queue holds at most; `usize::MAX` if it takes any number.
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Changes how many items the queue holds at most (eventlet's `resize`). More room is for those who
    /// wait for it; with less room the excess stays until it is taken out.
    ///
    /// # Panics
    ///
    /// If the capacity is zero.
    pub fn resize(&self, capacity: usize) {
        assert!(capacity > 0, "a queue of capacity 0 lets nothing pass: use a Channel");
        self.capacity.set(capacity);
        while self.promise_place() {}
    }

    /// How many items are in the queue, those included which somebody has been woken for.
    pub fn len(&self) -> usize {
        self.kept()
    }

    /// A copy of the item that [`get`](Self::get) would take out, which stays; waits while there is none
    /// (gevent's `peek`).
    ///
    /// # Errors
    ///
    /// If the queue is [shut down](Self::shutdown) and nothing is left in it.
    #[track_caller]
    pub fn peek(&self) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        self.peek_within(None)
    }

    /// As [`peek`](Self::peek), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// If there was no item in time, or the queue is shut down and nothing is left in it.
    #[track_caller]
    pub fn peek_timeout(&self, timeout: Duration) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        self.peek_within(Some(timeout))
    }

    /// As [`peek`](Self::peek), without waiting.
    ///
    /// # Errors
    ///
    /// If there is no item that nobody waits for.
    pub fn try_peek(&self) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        if self.is_empty() { Err(self.nothing()) } else { self.first() }
    }

    #[track_caller]
    fn peek_within(&self, timeout: Option<Duration>) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        if self.is_empty() {
            self.wait_for_claim(timeout)?;
            // It stays for the next one in line.
            self.give_up_claim();
        }
        self.first()
    }

    fn first(&self) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        // If the clone waited, others would find the items in use.
        let first = words::without_waiting(|| self.items.borrow().first().cloned());
        first.ok_or_else(|| self.nothing())
    }
}

/// An unbounded queue with these items in it.
impl<S: Buffer> FromIterator<S::Item> for QueueOf<S> {
    fn from_iter<I: IntoIterator<Item = S::Item>>(items: I) -> Self {
        let queue = Self::unbounded();
        items.into_iter().for_each(|item| _ = queue.push(item));
        queue
    }
}
