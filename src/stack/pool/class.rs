//! Stacks of one size that wait for their next user.
//!
//! They wait in groups of neighbours, of which one after the other gives out what it has, from the low end. So
//! where many greenlets start at once, after others have ended in whatever order, they find their stacks in the
//! order of the page tables.
//!
//! To give memory back to the system and to get it again costs more than all else about a stack. So a stack
//! keeps its memory for an epoch: as long as it takes for all to have come back twice, or whatever a
//! scheduler, which knows the time, takes for one. What nobody has wanted for all of it has been for a peak
//! that is over.

use super::group::{Group, Which};
use crate::stack::region::Region;
use crate::stack::{SizeClass, Stack, StackError};

/// So many waiting stacks of a class keep their memory whether anybody wants them or not. Fewer than that above
/// it are not worth a system call.
const WARM: usize = 1024;

/// So many lose it at the end of an epoch: others have to wait meanwhile.
const MOST_AT_ONCE: usize = 16 * WARM;

/// A region doubles what its class has reserved, up to this many bytes.
const LARGEST_REGION: usize = 8 << 30;
const FIRST_REGION_SLOTS: usize = 16;

#[repr(align(64))]
pub(super) struct Class {
    /// By region, and from its low end.
    groups: Vec<Group>,
    /// Those in which stacks wait that own memory. The last one gives them out.
    with_warm: Vec<u32>,
    /// Those in which stacks wait that own none. Where no other waits, the last one gives them out.
    with_cold: Vec<u32>,
    /// How many of each wait.
    warm: usize,
    cold: usize,
    /// How many have come back in this epoch.
    returned: usize,
    regions: Vec<Reserve>,
}

struct Reserve {
    region: Region,
    /// The first group that is in it.
    first: usize,
}

impl Class {
    /// With fewer waiting than this there was none.
    pub(super) const PEAK: usize = 2 * WARM;

    pub(super) const fn new() -> Self {
        Self {
            groups: Vec::new(),
            with_warm: Vec::new(),
            with_cold: Vec::new(),
            warm: 0,
            cold: 0,
            returned: 0,
            regions: Vec::new(),
        }
    }

    /// A stack that waits.
    pub(super) fn take(&mut self, class: SizeClass) -> Option<Stack> {
        let Some(&last) = self.with_warm.last() else { return self.take_cold(class) };
        let group = &mut self.groups[last as usize];
        let place = group.take_warm()?;
        self.warm -= 1;
        // Where many start one after the other, the next stacks are not in the caches.
        if place % Group::LOOKED_UP_AT_ONCE == 0 {
            group.look_up_next(class);
        }
        match group.first_warm() {
            Some(next) => group.stack(next, class).prefetch(),
            None => _ = self.with_warm.pop(),
        }
        Some(group.stack(place, class))
    }

    #[cold]
    fn take_cold(&mut self, class: SizeClass) -> Option<Stack> {
        let group = &mut self.groups[*self.with_cold.last()? as usize];
        let place = group.take_cold()?;
        self.cold -= 1;
        if !group.has_cold() {
            self.with_cold.pop();
        }
        Some(group.stack(place, class))
    }

    /// A stack that was never used.
    pub(super) fn carve(&mut self, class: SizeClass) -> Result<Stack, StackError> {
        if let Some(carved) = self.regions.last_mut().and_then(|last| last.region.carve()) {
            return carved;
        }
        let reserved: usize = self.regions.iter().map(|reserve| reserve.region.slots()).sum();
        let slots = reserved.max(FIRST_REGION_SLOTS).min((LARGEST_REGION / class.bytes()).max(1));
        let mut region = Region::reserve(class, slots)?;
        let first = self.groups.len();
        let first_of_each = (0..region.slots()).step_by(Group::STACKS);
        self.groups.extend(first_of_each.map(|slot| Group::new(region.slot(slot))));
        // To give back must not allocate: that is done on a stack that is about to end. It may be the end of an
        // epoch, too.
        self.with_cold.reserve(self.groups.len() - self.with_cold.len());
        self.with_warm.reserve(self.groups.len() - self.with_warm.len());
        let carved = region.carve();
        self.regions.push(Reserve { region, first });
        carved.expect("a fresh region has a slot")
    }

    pub(super) fn give_back(&mut self, stack: Stack) {
        self.returned += 1;
        if self.returned > 2 * (self.warm + self.cold + WARM) {
            self.end_epoch();
        }
        let (index, place) = self.place_of(stack);
        let group = &mut self.groups[index];
        if !group.has_warm() {
            debug_assert!(self.with_warm.len() < self.with_warm.capacity());
            self.with_warm.push(index as u32);
        }
        group.give_back(place);
        self.warm += 1;
    }

    /// The group of a stack, and its place there.
    fn place_of(&self, stack: Stack) -> (usize, usize) {
        // The last regions are the largest.
        for Reserve { region, first } in self.regions.iter().rev() {
            if let Some(slot) = region.slot_of(stack) {
                return (first + slot / Group::STACKS, slot % Group::STACKS);
            }
        }
        unreachable!("a stack comes from a region of its class")
    }

    /// The stack whose slot an address is in, if it is one of these.
    pub(super) fn stack_around(&self, address: usize) -> Option<Stack> {
        self.regions.iter().find_map(|reserve| reserve.region.stack_around(address))
    }

    /// Whether so many own memory that some may be for a peak that is over.
    pub(super) fn may_be_past_a_peak(&self) -> bool {
        self.warm >= Self::PEAK
    }

    #[cold]
    pub(super) fn end_epoch(&mut self) {
        self.returned = 0;
        if !self.may_be_past_a_peak() {
            return;
        }
        let unwanted: usize = self.groups.iter().map(Group::unwanted).sum();
        let cold = unwanted.min(self.warm - WARM);
        if cold >= WARM {
            self.chill(cold.min(MOST_AT_ONCE), Which::Unwanted);
        }
        self.groups.iter_mut().for_each(Group::begin_epoch);
    }

    /// Whether there are any that do not wait.
    pub(super) fn is_in_use(&self) -> bool {
        let carved: usize = self.regions.iter().map(|reserve| reserve.region.carved()).sum();
        carved > self.warm + self.cold
    }

    /// Returns the memory of all that wait to the system.
    pub(super) fn trim(&mut self) {
        self.chill(usize::MAX, Which::All);
    }

    /// Returns the memory of all of which that is said, or of `most` of them, to the system. Neighbours share a
    /// call.
    fn chill(&mut self, most: usize, which: Which) {
        let Some(class) = self.regions.first().map(|first| first.region.class()) else { return };
        self.with_cold.clear();
        let mut neighbours: Option<[Stack; 2]> = None;
        let mut left = most;
        for (index, group) in self.groups.iter_mut().enumerate() {
            while left > 0
                && let Some(place) = group.chill_next(which)
            {
                left -= 1;
                let stack = group.stack(place, class);
                neighbours = match neighbours {
                    Some([first, last]) if last.end().addr().get() == stack.guard() => Some([first, stack]),
                    others => {
                        others.into_iter().for_each(decommit);
                        Some([stack, stack])
                    }
                };
            }
            if group.has_cold() {
                self.with_cold.push(index as u32);
            }
        }
        neighbours.into_iter().for_each(decommit);
        self.warm -= most - left;
        self.cold += most - left;
        self.with_warm.retain(|&index| self.groups[index as usize].has_warm());
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        if self.is_in_use() {
            // A greenlet that refused to unwind still stands on one of these stacks, and others
            // may hold pointers into it: its memory is never freed.
            self.regions.drain(..).for_each(std::mem::forget);
        }
    }
}

/// Gives the memory of waiting stacks from the first to the last, each the neighbour of the next, back to the
/// system. Their guard pages stay.
fn decommit([first, last]: [Stack; 2]) {
    let low = first.low();
    let len = last.end().addr().get() - low;
    // SAFETY: the range holds the bodies of stacks that nobody uses, whose content does not matter, and
    // guard pages, which stay. Where the call fails the stacks stay as they were, which is merely less
    // frugal.
    unsafe { libc::madvise(low as *mut libc::c_void, len, libc::MADV_DONTNEED) };
}
