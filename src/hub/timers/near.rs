//! The timers that are due soonest, in the order in which they fire: a four-ary heap by deadline, and by age
//! among equals.

use super::slots::Slots;
use super::{At, Nanoseconds, Slot};

#[derive(Default)]
pub(super) struct Near {
    heap: Vec<Entry>,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) deadline: Nanoseconds,
    pub(super) age: u64,
    pub(super) slot: u32,
}

const ARITY: usize = 4;

impl Near {
    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.heap.first()
    }

    /// Enters the timer of a slot.
    pub(super) fn insert(&mut self, slots: &mut Slots, slot: u32) {
        let Slot { deadline, age, .. } = slots[slot];
        self.heap.push(Entry { deadline, age, slot });
        self.rise(slots, self.heap.len() - 1);
    }

    /// Takes out the timer at a place.
    pub(super) fn remove(&mut self, slots: &mut Slots, place: u32) {
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            // What filled the gap may belong above or below it.
            self.rise(slots, place);
            self.sink(slots, place);
        }
    }

    fn rise(&mut self, slots: &mut Slots, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.put(slots, place, self.heap[parent]);
            place = parent;
        }
        self.put(slots, place, entry);
    }

    fn sink(&mut self, slots: &mut Slots, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let children = place * ARITY + 1..(place * ARITY + 1 + ARITY).min(self.heap.len());
            let first = children.reduce(|a, b| if self.heap[b].is_before(&self.heap[a]) { b } else { a });
            match first {
                Some(child) if self.heap[child].is_before(&entry) => {
                    self.put(slots, place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(slots, place, entry);
    }

    fn put(&mut self, slots: &mut Slots, place: usize, entry: Entry) {
        self.heap[place] = entry;
        slots[entry.slot].at = At(place as u32, 0);
    }
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        (self.deadline, self.age) < (other.deadline, other.age)
    }
}
