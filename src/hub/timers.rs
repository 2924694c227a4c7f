//! What happens when: a four-ary heap by deadline, and by age among equals.
//!
//! Entries are found again through a slab, so a timer is cancelled in place and leaves nothing
//! behind. Once both have grown to the usual load, nothing allocates.

use std::ptr::NonNull;
use std::time::Instant;

use slab::Slab;

use super::{Fiber, Hub};

/// What a timer does.
pub(crate) enum Action {
    /// Makes a greenlet ready. Whoever sets the timer cancels it before that greenlet ends.
    Wake(NonNull<Fiber>),
    /// Calls a function, which must neither wait nor panic.
    Call(Box<dyn FnOnce(&Hub)>),
}

/// Names a timer that was set. It may have fired since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    slot: usize,
    /// Tells a slot's timers apart.
    age: u64,
}

#[derive(Default)]
pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Slab<Slot>,
    next_age: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: Instant,
    age: u64,
    slot: usize,
}

struct Slot {
    /// Where its entry is in the heap.
    place: usize,
    action: Action,
}

const ARITY: usize = 4;

impl Timers {
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Gives no timer of its own a key that one of `other` has had.
    pub(super) fn skip_keys_of(&mut self, other: &Self) {
        self.next_age = self.next_age.max(other.next_age);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.deadline)
    }

    pub(crate) fn insert(&mut self, deadline: Instant, action: Action) -> TimerKey {
        let age = self.next_age;
        self.next_age += 1;
        let place = self.heap.len();
        let slot = self.slots.insert(Slot { place, action });
        self.heap.push(Entry { deadline, age, slot });
        self.rise(place);
        TimerKey { slot, age }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn contains(&self, key: TimerKey) -> bool {
        self.place(key).is_some()
    }

    /// Takes a timer out, unless it has fired.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Action> {
        Some(self.take(self.place(key)?))
    }

    fn place(&self, key: TimerKey) -> Option<usize> {
        let place = self.slots.get(key.slot)?.place;
        (self.heap[place].age == key.age).then_some(place)
    }

    /// Takes out the oldest of the earliest, if its time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Action> {
        if self.heap.first()?.deadline > now {
            return None;
        }
        Some(self.take(0))
    }

    fn take(&mut self, place: usize) -> Action {
        let entry = self.heap.swap_remove(place);
        if place < self.heap.len() {
            // What filled the gap may belong above or below it.
            self.rise(place);
            self.sink(place);
        }
        self.slots.remove(entry.slot).action
    }

    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let children = place * ARITY + 1..(place * ARITY + 1 + ARITY).min(self.heap.len());
            let first = children.reduce(|a, b| if self.heap[b].is_before(&self.heap[a]) { b } else { a });
            match first {
                Some(child) if self.heap[child].is_before(&entry) => {
                    self.put(place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.slots[entry.slot].place = place;
    }
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        (self.deadline, self.age) < (other.deadline, other.age)
    }
}
