//! How the items of a queue are kept: what decides which one comes out next.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::greenlet::words;

/// A way to keep the items of a [`QueueOf`](super::QueueOf). It cannot be implemented elsewhere.
pub trait Storage: sealed::Sealed {
    /// What is kept.
    type Item;
    /// Names an item that may be taken back.
    #[doc(hidden)]
    type Ticket: Copy;
    /// Nothing kept yet.
    #[doc(hidden)]
    const EMPTY: Self;
    /// Whether items are kept on their way only, from a putter to a getter who has been woken.
    #[doc(hidden)]
    const MEETS: bool = false;
    #[doc(hidden)]
    fn push(&mut self, item: Self::Item) -> Self::Ticket;
    /// Takes out the one whose turn it is.
    #[doc(hidden)]
    fn pop(&mut self) -> Option<Self::Item>;
    /// The one that [`pop`](Self::pop) would take out.
    #[doc(hidden)]
    fn first(&self) -> Option<&Self::Item>;
    #[doc(hidden)]
    fn count(&self) -> usize;
    /// Whether an item is still here.
    #[doc(hidden)]
    fn holds(&self, _ticket: Self::Ticket) -> bool {
        true
    }
    /// Takes an item out of turn. What has room keeps what it was given.
    #[doc(hidden)]
    fn take_back(&mut self, _ticket: Self::Ticket) -> Option<Self::Item> {
        None
    }
}

/// A way to keep items that has room for some of them: all but [`Rendezvous`].
pub trait Buffer: Storage {}

mod sealed {
    pub trait Sealed {}
}

/// Makes room for one more item, if there is none. Who adds it does not allocate then.
#[inline]
fn keep_room(len: usize, capacity: usize, reserve: impl FnOnce()) {
    if len == capacity {
        words::without_waiting(reserve);
    }
}

/// First in, first out.
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

impl<T> sealed::Sealed for Fifo<T> {}
impl<T> Buffer for Fifo<T> {}
impl<T> Storage for Fifo<T> {
    type Item = T;
    type Ticket = ();
    const EMPTY: Self = Self(VecDeque::new());

    #[inline]
    fn push(&mut self, item: T) {
        keep_room(self.0.len(), self.0.capacity(), || self.0.reserve(1));
        self.0.push_back(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn first(&self) -> Option<&T> {
        self.0.front()
    }

    #[inline]
    fn count(&self) -> usize {
        self.0.len()
    }
}

/// Last in, first out.
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

impl<T> sealed::Sealed for Lifo<T> {}
impl<T> Buffer for Lifo<T> {}
impl<T> Storage for Lifo<T> {
    type Item = T;
    type Ticket = ();
    const EMPTY: Self = Self(Vec::new());

    #[inline]
    fn push(&mut self, item: T) {
        keep_room(self.0.len(), self.0.capacity(), || self.0.reserve(1));
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn first(&self) -> Option<&T> {
        self.0.last()
    }

    #[inline]
    fn count(&self) -> usize {
        self.0.len()
    }
}

/// The smallest first, and the oldest among equals.
#[derive(Debug)]
pub struct Priority<T> {
    heap: BinaryHeap<Ranked<T>>,
    next_age: u64,
}

impl<T> sealed::Sealed for Priority<T> {}
impl<T: Ord> Buffer for Priority<T> {}
impl<T: Ord> Storage for Priority<T> {
    type Item = T;
    type Ticket = ();
    const EMPTY: Self = Self { heap: BinaryHeap::new(), next_age: 0 };

    fn push(&mut self, item: T) {
        let age = self.next_age;
        self.next_age += 1;
        keep_room(self.heap.len(), self.heap.capacity(), || self.heap.reserve(1));
        // The order is the user's. If it waited, others would find the heap in use.
        words::without_waiting(|| self.heap.push(Ranked { item, age }));
    }

    fn pop(&mut self) -> Option<T> {
        words::without_waiting(|| self.heap.pop()).map(|ranked| ranked.item)
    }

    fn first(&self) -> Option<&T> {
        self.heap.peek().map(|ranked| &ranked.item)
    }

    fn count(&self) -> usize {
        self.heap.len()
    }
}

/// An item whose order is that of the heap, which has the greatest on top.
#[derive(Debug)]
struct Ranked<T> {
    item: T,
    age: u64,
}

impl<T: Ord> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.item.cmp(&self.item).then_with(|| other.age.cmp(&self.age))
    }
}

impl<T: Ord> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Ranked<T> {}

/// No room: only what is on its way to a getter who has been woken, first in, first out.
#[derive(Debug)]
pub struct Rendezvous<T> {
    /// Numbered in the order in which they came.
    items: VecDeque<(u64, T)>,
    next: u64,
}

impl<T> Rendezvous<T> {
    fn place(&self, number: u64) -> Option<usize> {
        self.items.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

impl<T> sealed::Sealed for Rendezvous<T> {}
impl<T> Storage for Rendezvous<T> {
    type Item = T;
    type Ticket = u64;
    const EMPTY: Self = Self { items: VecDeque::new(), next: 0 };
    const MEETS: bool = true;

    #[inline]
    fn push(&mut self, item: T) -> u64 {
        keep_room(self.items.len(), self.items.capacity(), || self.items.reserve(1));
        let number = self.next;
        self.next += 1;
        self.items.push_back((number, item));
        number
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.items.pop_front().map(|(_, item)| item)
    }

    fn first(&self) -> Option<&T> {
        self.items.front().map(|(_, item)| item)
    }

    #[inline]
    fn count(&self) -> usize {
        self.items.len()
    }

    fn holds(&self, ticket: u64) -> bool {
        self.place(ticket).is_some()
    }

    fn take_back(&mut self, ticket: u64) -> Option<T> {
        let (_, item) = self.items.remove(self.place(ticket)?)?;
        Some(item)
    }
}
