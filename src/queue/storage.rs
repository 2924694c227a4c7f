//! How the items of a queue are kept: what decides which one comes out next.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::greenlet::words;

/// A way to keep the items of a [`QueueOf`](super::QueueOf). It cannot be implemented elsewhere.
pub trait Storage: sealed::Sealed {
    /// What is kept.
    type Item;
    /// Nothing kept yet.
    #[doc(hidden)]
    const EMPTY: Self;
    /// Whether items are kept on their way only, from a putter to a getter who has been woken.
    #[doc(hidden)]
    const MEETS: bool = false;
    #[doc(hidden)]
    fn push(&mut self, item: Self::Item);
    /// Takes out the one whose turn it is.
    #[doc(hidden)]
    fn pop(&mut self) -> Option<Self::Item>;
    /// The one that [`pop`](Self::pop) would take out.
    #[doc(hidden)]
    fn first(&self) -> Option<&Self::Item>;
    #[doc(hidden)]
    fn count(&self) -> usize;
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
    const EMPTY: Self = Self { heap: BinaryHeap::new(), next_age: 0 };

    fn push(&mut self, item: T) {
        let age = self.next_age;
        self.next_age += 1;
        keep_room(self.heap.len(), self.heap.capacity(), || self.heap.reserve(1));
        // The order is the user's, and may do what it likes.
        self.heap.push(Ranked { item, age });
    }

    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|ranked| ranked.item)
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

/// No room: only what is on its way to a getter who has been woken.
#[derive(Debug)]
pub struct Rendezvous<T>(Fifo<T>);

impl<T> sealed::Sealed for Rendezvous<T> {}
impl<T> Storage for Rendezvous<T> {
    type Item = T;
    const EMPTY: Self = Self(Fifo::EMPTY);
    const MEETS: bool = true;

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn first(&self) -> Option<&T> {
        self.0.first()
    }

    #[inline]
    fn count(&self) -> usize {
        self.0.count()
    }
}
