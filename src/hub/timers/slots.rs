//! Where timers are kept, by place.
//!
//! Timers that were set together end in whatever order. So it is known of each place whether it is vacant, and what
//! is set next goes to neighbours again.

use std::ops::{Index, IndexMut};

use super::Slot;
use crate::places::Places;

#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// Which of them are vacant, so many in a row.
    rows: Vec<Row>,
    /// The first of the rows that have vacant places, linked by their `next`.
    open: Option<u32>,
    occupied: usize,
}

#[derive(Default)]
struct Row {
    vacant: Places,
    next: Option<u32>,
}

/// How many slots are a row.
const ROW: u32 = Places::MOST as u32;

impl Slots {
    /// How many are occupied.
    pub(super) fn len(&self) -> usize {
        self.occupied
    }

    /// What is at a place that may be vacant by now.
    pub(super) fn get(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place as usize)
    }

    /// Takes a place for a timer, which is to be written there.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        self.occupied += 1;
        let Some(open) = self.open else { return self.grow() };
        let row = &mut self.rows[open as usize];
        let place = row.vacant.take_lowest().expect("those in the list have vacant places");
        if row.vacant.is_empty() {
            self.open = row.next;
        }
        open * ROW + place as u32
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let place = u32::try_from(self.slots.len()).expect("fewer timers than there is memory for");
        self.slots.push(Slot::VACANT);
        if place.is_multiple_of(ROW) {
            self.rows.push(Row::default());
        }
        place
    }

    /// Makes the place of a timer vacant.
    #[inline]
    pub(super) fn remove(&mut self, place: u32) -> Slot {
        self.occupied -= 1;
        let index = place / ROW;
        let row = &mut self.rows[index as usize];
        if row.vacant.is_empty() {
            row.next = self.open.replace(index);
        }
        row.vacant.insert((place % ROW) as usize);
        let slot = &mut self[place];
        let left = *slot;
        slot.age = Slot::VACANT.age;
        left
    }
}

impl Index<u32> for Slots {
    type Output = Slot;

    #[inline]
    fn index(&self, place: u32) -> &Slot {
        &self.slots[place as usize]
    }
}

impl IndexMut<u32> for Slots {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Slot {
        &mut self.slots[place as usize]
    }
}
