//! What all kinds of queues have in common: who gets an item, who gets a place, and who waits.
//!
//! Whoever waits for an item is woken with a *claim* on one, and whoever waits for room with a
//! *reserved* place. Until they have run, claims and reservations count as taken for all others; if
//! they are unwound instead, both go to the next one in line. So these always hold:
//!
//! - somebody waits in `getters` only if every item in the queue is claimed;
//! - somebody waits in `putters` only if every place is taken or reserved.
//!
//! Where putter and getter meet there is no place: a putter waits in `putters` with its item for
//! somebody to take it from there.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::time::Duration;

use super::storage::Storage;
use super::{GetError, PutError};
use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// A queue that keeps its items in an `S`. [`Queue`](super::Queue), [`LifoQueue`](super::LifoQueue),
/// [`PriorityQueue`](super::PriorityQueue) and [`Channel`](super::Channel) are names for its kinds.
pub struct QueueOf<S: Storage> {
    pub(super) items: RefCell<S>,
    pub(super) capacity: Cell<usize>,
    /// Items that belong to getters who were woken and have not run yet.
    pub(super) claimed: Cell<usize>,
    pub(super) getters: WaitQueue,
    /// Places that belong to putters who were woken and have not run yet.
    pub(super) reserved: Cell<usize>,
    /// Each with the item that it wants to put.
    pub(super) putters: WaitQueue<Cell<Option<S::Item>>>,
    /// Putters whose item is on its way to a getter, in the order of these items.
    pub(super) handing: WaitQueue<S::Ticket>,
    pub(super) shut_down: Cell<bool>,
    /// Items that were put and not yet reported as done.
    pub(super) unfinished: Cell<usize>,
    /// Who waits for there to be none of these.
    pub(super) joiners: WaitQueue,
}

/// Of the user's functions only these run while the items are borrowed.
const REENTERED: &str = "comparing or cloning an item must not use the queue that it is in";

impl<S: Storage> QueueOf<S> {
    pub(super) const fn with_capacity(capacity: usize) -> Self {
        Self {
            items: RefCell::new(S::EMPTY),
            capacity: Cell::new(capacity),
            claimed: Cell::new(0),
            getters: WaitQueue::new(),
            reserved: Cell::new(0),
            putters: WaitQueue::new(),
            handing: WaitQueue::new(),
            shut_down: Cell::new(false),
            unfinished: Cell::new(0),
            joiners: WaitQueue::new(),
        }
    }

    /// Puts an item in; waits while there is no room. Once in a while it lets others run though there is.
    ///
    /// # Errors
    ///
    /// The item, if the queue is or gets [shut down](Self::shutdown).
    #[track_caller]
    pub fn put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        self.put_within(item, None)
    }

    /// As [`put`](Self::put), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The item, if there was no room in time or the queue is shut down.
    #[track_caller]
    pub fn put_timeout(&self, item: S::Item, timeout: Duration) -> Result<(), PutError<S::Item>> {
        self.put_within(item, Some(timeout))
    }

    /// Puts an item in if there is room that nobody waits for (gevent's `put_nowait`). Never lets others
    /// run.
    ///
    /// # Errors
    ///
    /// The item, if there is no room or the queue is shut down.
    pub fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        if self.is_full() {
            return Err(self.refuse(item));
        }
        self.push(item);
        Ok(())
    }

    #[track_caller]
    #[inline]
    fn put_within(&self, item: S::Item, timeout: Option<Duration>) -> Result<(), PutError<S::Item>> {
        hub::spend_budget();
        if S::MEETS || self.is_full() {
            return self.put_waiting(item, timeout);
        }
        self.push(item);
        Ok(())
    }

    #[track_caller]
    #[inline(never)]
    fn put_waiting(&self, item: S::Item, timeout: Option<Duration>) -> Result<(), PutError<S::Item>> {
        if self.shut_down.get() {
            return Err(self.refuse(item));
        }
        let (hub, until) = (hub::here(), deadline(timeout));
        if S::MEETS && !self.getters.is_empty() {
            return self.hand_over(item, until);
        }
        let pass_on = || self.give_up_place();
        let (woken, offer) =
            hub.wait_with(Cell::new(Some(item)), &self.putters, until, "room in a queue", &pass_on);
        if woken {
            self.settle(offer.into_inner())
        } else {
            offer.into_inner().map_or(Ok(()), |item| Err(PutError::Full(item)))
        }
    }

    /// What a putter does who was woken.
    pub(super) fn settle(&self, offer: Option<S::Item>) -> Result<(), PutError<S::Item>> {
        match offer {
            // A getter has taken it.
            None => Ok(()),
            Some(item) if self.shut_down.get() => Err(PutError::ShutDown(item)),
            Some(item) => {
                lower(&self.reserved);
                self.push(item);
                Ok(())
            }
        }
    }

    pub(super) fn refuse(&self, item: S::Item) -> PutError<S::Item> {
        if self.shut_down.get() { PutError::ShutDown(item) } else { PutError::Full(item) }
    }

    #[inline]
    pub(super) fn push(&self, item: S::Item) -> S::Ticket {
        let then = || {
            raise(&self.unfinished);
            self.promise_item();
        };
        Change::begin(self, then).items().push(item)
    }

    /// Takes an item out; waits while there is none. Once in a while it lets others run though there is
    /// one.
    ///
    /// # Errors
    ///
    /// If the queue is shut down and nothing is left in it.
    #[track_caller]
    pub fn get(&self) -> Result<S::Item, GetError> {
        self.get_within(None)
    }

    /// As [`get`](Self::get), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// If there was no item in time, or the queue is shut down and nothing is left in it.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Result<S::Item, GetError> {
        self.get_within(Some(timeout))
    }

    /// Takes an item out if there is one that nobody waits for (gevent's `get_nowait`). Never lets others
    /// run.
    ///
    /// # Errors
    ///
    /// If there is none, or the queue is shut down and nothing is left in it.
    pub fn try_get(&self) -> Result<S::Item, GetError> {
        self.take().ok_or_else(|| self.nothing())
    }

    #[track_caller]
    #[inline]
    fn get_within(&self, timeout: Option<Duration>) -> Result<S::Item, GetError> {
        hub::spend_budget();
        match self.take() {
            Some(item) => Ok(item),
            None => self.get_waiting(timeout),
        }
    }

    #[track_caller]
    #[inline(never)]
    fn get_waiting(&self, timeout: Option<Duration>) -> Result<S::Item, GetError> {
        self.wait_for_claim(timeout)?;
        self.take_claimed()
    }

    /// Waits for an item that is then this greenlet's.
    #[track_caller]
    pub(super) fn wait_for_claim(&self, timeout: Option<Duration>) -> Result<(), GetError> {
        if self.shut_down.get() {
            return Err(GetError::ShutDown);
        }
        let pass_on = || self.give_up_claim();
        let until = deadline(timeout);
        if hub::here().wait_for_hand_over(&self.getters, until, "an item in a queue", &pass_on) {
            Ok(())
        } else {
            Err(GetError::Empty)
        }
    }

    /// What a getter does who was woken.
    pub(super) fn take_claimed(&self) -> Result<S::Item, GetError> {
        lower(&self.claimed);
        self.pop().ok_or(GetError::ShutDown)
    }

    pub(super) fn nothing(&self) -> GetError {
        if self.shut_down.get() { GetError::ShutDown } else { GetError::Empty }
    }

    /// Takes out an item that nobody has a claim on, if there is one.
    #[inline]
    pub(super) fn take(&self) -> Option<S::Item> {
        if !self.is_claimed() {
            self.pop()
        } else if S::MEETS && !self.putters.is_empty() {
            let offered = self.putters.wake_first(Cell::take)?;
            raise(&self.unfinished);
            offered
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<S::Item> {
        let then = || {
            if S::MEETS {
                self.tell_who_handed_it_over();
            } else {
                self.promise_place();
            }
        };
        Change::begin(self, then).items().pop()
    }

    /// Promises an item to the getter who has waited longest, if there are both.
    #[inline]
    fn promise_item(&self) {
        if !self.getters.is_empty() && !self.is_claimed() && self.getters.wake_one() {
            raise(&self.claimed);
        }
    }

    /// A getter who was woken will not come for its item.
    pub(super) fn give_up_claim(&self) {
        lower(&self.claimed);
        self.promise_item();
    }

    /// Promises a place to the putter who has waited longest; false unless there are both.
    #[inline]
    pub(super) fn promise_place(&self) -> bool {
        let both = !self.putters.is_empty() && !self.is_full() && self.putters.wake_one();
        if both {
            raise(&self.reserved);
        }
        both
    }

    /// A putter who was woken will not come for its place.
    pub(super) fn give_up_place(&self) {
        if !S::MEETS && !self.shut_down.get() {
            lower(&self.reserved);
            self.promise_place();
        }
    }

    #[inline]
    pub(super) fn kept(&self) -> usize {
        self.items.try_borrow().expect(REENTERED).count()
    }

    /// Whether every item in the queue is somebody's already.
    #[inline]
    pub(super) fn is_claimed(&self) -> bool {
        self.kept() <= self.claimed.get()
    }

    /// Whether [`try_get`](Self::try_get) would fail.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.is_claimed() && (!S::MEETS || self.putters.is_empty())
    }

    /// Whether [`try_put`](Self::try_put) would fail.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.shut_down.get()
            || if S::MEETS {
                self.getters.is_empty()
            } else {
                self.kept() + self.reserved.get() >= self.capacity.get()
            }
    }

    /// How many greenlets wait in [`get`](Self::get) (eventlet's `getting`).
    pub fn getting(&self) -> usize {
        self.getters.len()
    }

    /// How many greenlets wait in [`put`](Self::put) (eventlet's `putting`).
    pub fn putting(&self) -> usize {
        self.putters.len() + self.handing.len()
    }
}

impl<S: Storage> fmt::Debug for QueueOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOf")
            .field("len", &self.kept())
            .field("capacity", &self.capacity.get())
            .field("getting", &self.getting())
            .field("putting", &self.putting())
            .field("shut_down", &self.shut_down.get())
            .finish()
    }
}

/// An item comes or goes. At the end somebody else is told, even if it is the end of an order of items that
/// panics: the item has come or gone all the same.
struct Change<'a, S, F: Fn()> {
    items: Option<RefMut<'a, S>>,
    then: F,
}

impl<'a, S: Storage, F: Fn()> Change<'a, S, F> {
    #[inline]
    fn begin(queue: &'a QueueOf<S>, then: F) -> Self {
        Self { items: Some(queue.items.try_borrow_mut().expect(REENTERED)), then }
    }

    #[inline]
    fn items(&mut self) -> &mut S {
        self.items.as_mut().expect("they are there until the end")
    }
}

impl<S, F: Fn()> Drop for Change<'_, S, F> {
    #[inline]
    fn drop(&mut self) {
        self.items = None;
        (self.then)();
    }
}

#[inline]
pub(super) fn raise(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

#[inline]
pub(super) fn lower(count: &Cell<usize>) {
    count.set(count.get() - 1);
}
