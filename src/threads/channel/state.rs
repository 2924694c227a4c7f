//! What both ends of a channel share.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::lock::lock;
use crate::threads::waiters::{Waiters, Waker};

/// An item.
pub(super) struct Kept<T> {
    number: u64,
    whose: Whose,
    item: T,
}

/// Whose an item is as long as nobody has received it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Its sender's, who waits until it is received, and takes it back otherwise.
    Senders,
    /// The channel's.
    Channels,
}

pub(super) struct State<T> {
    /// In the order in which they were put in, and of their numbers.
    items: VecDeque<Kept<T>>,
    next_number: u64,
    /// There are never more items, but for a bound of zero: then they are those of waiting senders, and of who
    /// found a receiver waiting.
    pub(super) bound: usize,
    pub(super) senders: usize,
    pub(super) receivers: usize,
    pub(super) sending: Waiters,
    pub(super) receiving: Waiters,
}

impl<T> State<T> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            items: VecDeque::new(),
            next_number: 0,
            bound,
            senders: 1,
            receivers: 1,
            sending: Waiters::new(),
            receiving: Waiters::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether an item may be put in by somebody who does not wait for it to be received.
    pub(super) fn has_room(&self) -> bool {
        match self.bound {
            0 => self.receiving.len() > 0,
            bound => self.items.len() < bound,
        }
    }

    /// Puts an item in. Its number, and who is to be woken.
    pub(super) fn push(&mut self, item: T, whose: Whose) -> (u64, Option<Waker>) {
        let number = self.next_number;
        self.next_number += 1;
        self.items.push_back(Kept { number, whose, item });
        (number, self.receiving.next())
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_front().map(|kept| kept.item)
    }

    /// Whether an item is still here.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.place(number).is_ok()
    }

    /// Takes an item back that nobody has received.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<T> {
        let place = self.place(number).ok()?;
        self.items.remove(place).map(|kept| kept.item)
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.items.binary_search_by_key(&number, |kept| kept.number)
    }

    /// Takes out what nobody will receive, nor take back.
    pub(super) fn abandoned(&mut self) -> VecDeque<Kept<T>> {
        let all = std::mem::take(&mut self.items);
        if self.bound > 0 {
            return all;
        }
        let (offered, abandoned) = all.into_iter().partition(|kept| kept.whose == Whose::Senders);
        self.items = offered;
        abandoned
    }
}

/// Dropped by somebody who stops waiting, and may have been woken: wakes another one if there is reason
/// to.
pub(super) struct PassOn<'a, T> {
    pub(super) shared: &'a Mutex<State<T>>,
    pub(super) next: fn(&mut State<T>) -> Option<Waker>,
}

impl<T> Drop for PassOn<'_, T> {
    fn drop(&mut self) {
        let next = (self.next)(&mut lock(self.shared));
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
