//! What both ends of a channel share.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::lock::lock;
use crate::threads::waiters::{Waiters, Waker};

pub(super) struct State<T> {
    /// Numbered in the order in which they were put in.
    items: VecDeque<(u64, T)>,
    next_number: u64,
    /// There are never more items, but for a bound of zero: then they are those of waiting senders.
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
    pub(super) fn push(&mut self, item: T) -> (u64, Option<Waker>) {
        let number = self.next_number;
        self.next_number += 1;
        self.items.push_back((number, item));
        (number, self.receiving.next())
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_front().map(|(_, item)| item)
    }

    /// Whether an item is still here.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.place(number).is_ok()
    }

    /// Takes an item back that nobody has received.
    pub(super) fn withdraw(&mut self, number: u64) -> Option<T> {
        let place = self.place(number).ok()?;
        self.items.remove(place).map(|(_, item)| item)
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.items.binary_search_by_key(&number, |(number, _)| *number)
    }

    /// Takes out what nobody will receive.
    pub(super) fn abandoned(&mut self) -> VecDeque<(u64, T)> {
        match self.bound {
            // These are for their senders to take back.
            0 => VecDeque::new(),
            _ => std::mem::take(&mut self.items),
        }
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
