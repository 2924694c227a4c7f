//! Neighbours among the stacks of one class, and which of them wait: in several sets of places.

use std::ptr::NonNull;

use crate::places::Places;
use crate::stack::{SizeClass, Stack};

pub(super) struct Group {
    /// The low end of the first one.
    base: NonNull<u8>,
    /// Those that wait and own memory.
    warm: Places,
    /// Those that wait and own none.
    cold: Places,
    /// Those of the warm ones that nobody has wanted in this epoch.
    unwanted: Places,
}

impl Group {
    /// How many stacks are a group, or fewer at the end of a region.
    pub(super) const STACKS: usize = Places::MOST;

    /// So many pages a processor can look for at once.
    pub(super) const LOOKED_UP_AT_ONCE: usize = 4;

    /// A group of which none waits.
    pub(super) fn new(base: NonNull<u8>) -> Self {
        Self { base, warm: Places::NONE, cold: Places::NONE, unwanted: Places::NONE }
    }

    pub(super) fn has_warm(&self) -> bool {
        !self.warm.is_empty()
    }

    pub(super) fn has_cold(&self) -> bool {
        !self.cold.is_empty()
    }

    /// The place of the lowest warm one.
    pub(super) fn first_warm(&self) -> Option<usize> {
        self.warm.lowest()
    }

    /// Takes the lowest warm one: its place.
    pub(super) fn take_warm(&mut self) -> Option<usize> {
        let place = self.warm.take_lowest()?;
        self.unwanted.retain(self.warm);
        Some(place)
    }

    /// Has the processor look up the pages of those that are taken next. A page that it has not seen for long
    /// takes it longer to find than to fetch a line of, but it can look for several at once.
    pub(super) fn look_up_next(&self, class: SizeClass) {
        let mut next = self.warm;
        for _ in 0..Self::LOOKED_UP_AT_ONCE {
            let Some(place) = next.take_lowest() else { return };
            self.stack(place, class).prefetch_line(1);
        }
    }

    /// Takes the lowest cold one: its place.
    pub(super) fn take_cold(&mut self) -> Option<usize> {
        self.cold.take_lowest()
    }

    pub(super) fn give_back(&mut self, place: usize) {
        self.warm.insert(place);
    }

    /// The stack at the place of one that waits, or did before it was taken.
    pub(super) fn stack(&self, place: usize, class: SizeClass) -> Stack {
        // SAFETY: places come from the sets, and those from `give_back`, which is told the place of a stack. So
        // it is a slot of the region, whose end is in the mapping, or the end of that.
        Stack::new(unsafe { self.base.add((place + 1) * class.bytes()) }, class)
    }

    /// How many nobody has wanted in this epoch.
    pub(super) fn unwanted(&self) -> usize {
        self.unwanted.len()
    }

    /// In the epoch that begins, nobody has wanted those that wait.
    pub(super) fn begin_epoch(&mut self) {
        self.unwanted = self.warm;
    }

    /// Makes the lowest warm one cold, of all or of those that nobody has wanted: its place.
    pub(super) fn chill_next(&mut self, which: Which) -> Option<usize> {
        let waiting = match which {
            Which::All => self.warm,
            Which::Unwanted => self.unwanted,
        };
        let place = waiting.lowest()?;
        self.warm.remove(place);
        self.unwanted.retain(self.warm);
        self.cold.insert(place);
        Some(place)
    }
}

/// Which of those that wait are to lose their memory.
#[derive(Clone, Copy)]
pub(super) enum Which {
    All,
    Unwanted,
}
