//! Where timers are kept, by place.
//!
//! Timers that were set together end in whatever order. So each place has a bit that says whether it is vacant, and
//! what is set next goes to neighbours again: where many are set at once, the processor finds the next place before
//! it is asked for.

use std::ops::{Index, IndexMut};

use super::Slot;

#[derive(Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// So many places each.
    words: Vec<Word>,
    /// The first of the words that have vacant places, linked by their `next`. It gives out what it has, from its low
    /// end.
    open: Option<u32>,
    occupied: usize,
}

/// A bit for each place that is vacant.
#[derive(Default)]
struct Word {
    vacant: u64,
    next: Option<u32>,
}

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
        let word = &mut self.words[open as usize];
        let place = open * u64::BITS + word.vacant.trailing_zeros();
        word.vacant &= word.vacant - 1;
        if word.vacant == 0 {
            self.open = word.next;
        }
        place
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let place = u32::try_from(self.slots.len()).expect("fewer timers than there is memory for");
        self.slots.push(Slot::VACANT);
        if place.is_multiple_of(u64::BITS) {
            self.words.push(Word::default());
        }
        place
    }

    /// Makes the place of a timer vacant.
    #[inline]
    pub(super) fn remove(&mut self, place: u32) -> Slot {
        self.occupied -= 1;
        let index = place / u64::BITS;
        let word = &mut self.words[index as usize];
        if word.vacant == 0 {
            word.next = self.open.replace(index);
        }
        word.vacant |= 1 << (place % u64::BITS);
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
