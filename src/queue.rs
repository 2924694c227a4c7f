//! Floor 4: queues between greenlets of one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// A first in, first out queue between greenlets of one thread (gevent's `Queue`).
///
/// Those who wait are served in the order in which they came. Share it through [`Rc`](std::rc::Rc).
///
/// ```
/// use std::rc::Rc;
/// use greenlet::queue::Queue;
///
/// let queue = Rc::new(Queue::bounded(2));
/// let producer = greenlet::spawn({
///     let queue = queue.clone();
///     move || (0..5).for_each(|n| queue.put(n))
/// });
/// let got: Vec<i32> = (0..5).map(|_| queue.get()).collect();
/// assert_eq!(got, [0, 1, 2, 3, 4]);
/// producer.join().unwrap();
/// ```
#[derive(Debug)]
pub struct Queue<T> {
    items: RefCell<VecDeque<T>>,
    capacity: usize,
    /// Items that belong to getters who were woken and have not run yet.
    claimed: Cell<usize>,
    getters: WaitQueue,
    /// Places that belong to putters who were woken and have not run yet.
    reserved: Cell<usize>,
    putters: WaitQueue,
}

impl<T> Queue<T> {
    /// A queue that takes any number of items.
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX)
    }

    /// A queue that holds at most `capacity` items; putting more waits.
    ///
    /// # Panics
    ///
    /// If the capacity is zero: nothing could ever pass.
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "a queue of capacity 0 lets nothing pass");
        Self {
            items: RefCell::default(),
            capacity,
            claimed: Cell::new(0),
            getters: WaitQueue::new(),
            reserved: Cell::new(0),
            putters: WaitQueue::new(),
        }
    }

    /// Adds an item at the end; waits while the queue is full.
    #[track_caller]
    pub fn put(&self, item: T) {
        if self.put_within(item, None).is_err() {
            unreachable!("without a timeout the wait goes on");
        }
    }

    /// As [`put`](Self::put), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The item, if the queue stayed full.
    #[track_caller]
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), T> {
        self.put_within(item, Some(timeout))
    }

    /// Adds an item if there is room that nobody waits for.
    ///
    /// # Errors
    ///
    /// The item, if the queue is full.
    pub fn try_put(&self, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        self.push(item);
        Ok(())
    }

    #[track_caller]
    fn put_within(&self, item: T, timeout: Option<Duration>) -> Result<(), T> {
        let Err(item) = self.try_put(item) else { return Ok(()) };
        let give_up_place = || {
            lower(&self.reserved);
            self.wake_putter();
        };
        let until = deadline(timeout);
        if !hub::here().wait_for_hand_over(&self.putters, until, "room in a queue", &give_up_place) {
            return Err(item);
        }
        lower(&self.reserved);
        self.push(item);
        Ok(())
    }

    fn push(&self, item: T) {
        self.items.borrow_mut().push_back(item);
        self.wake_getter();
    }

    /// Takes the first item; waits while there is none.
    #[track_caller]
    pub fn get(&self) -> T {
        self.get_within(None).expect("without a timeout the wait goes on")
    }

    /// As [`get`](Self::get), waiting for at most `timeout`.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Option<T> {
        self.get_within(Some(timeout))
    }

    /// Takes the first item, if there is one that nobody waits for.
    pub fn try_get(&self) -> Option<T> {
        if self.is_empty() { None } else { self.pop() }
    }

    #[track_caller]
    fn get_within(&self, timeout: Option<Duration>) -> Option<T> {
        if let Some(item) = self.try_get() {
            return Some(item);
        }
        let give_up_item = || {
            lower(&self.claimed);
            self.wake_getter();
        };
        let until = deadline(timeout);
        if !hub::here().wait_for_hand_over(&self.getters, until, "an item in a queue", &give_up_item) {
            return None;
        }
        lower(&self.claimed);
        self.pop()
    }

    fn pop(&self) -> Option<T> {
        let item = self.items.borrow_mut().pop_front();
        self.wake_putter();
        item
    }

    /// Promises an item to the getter who has waited longest, if there are both.
    fn wake_getter(&self) {
        if !self.is_empty() && hub::with_existing(|hub| self.getters.wake_one(hub)) == Some(true) {
            raise(&self.claimed);
        }
    }

    /// Promises a place to the putter who has waited longest, if there are both.
    fn wake_putter(&self) {
        if !self.is_full() && hub::with_existing(|hub| self.putters.wake_one(hub)) == Some(true) {
            raise(&self.reserved);
        }
    }

    /// How many items are in the queue, those included which somebody has been woken for.
    pub fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// Whether [`get`](Self::get) would wait.
    pub fn is_empty(&self) -> bool {
        self.len() == self.claimed.get()
    }

    /// Whether [`put`](Self::put) would wait.
    pub fn is_full(&self) -> bool {
        self.len() + self.reserved.get() >= self.capacity
    }
}

fn raise(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

fn lower(count: &Cell<usize>) {
    count.set(count.get() - 1);
}
