//! The timers that are not due soon, in no order but that of the buckets: a wheel of several levels.
//!
//! Time is counted in ticks of about a millisecond, and a tick has digits, of six bits each. What the wheel has
//! reached is a tick, too: a timer's level is the highest digit in which its own tick differs from that, and its
//! bucket is that digit. So there is nothing in a lower level that is later than anything in a higher one, and
//! as the wheel comes to a bucket, those in it go down, to where they differ from it now.
//!
//! To enter and to leave is the matter of a link or two, however many there are.

use super::slots::Slots;
use super::{At, Nanoseconds, Slot};
use crate::places::Places;

/// So many nanoseconds are a tick, as a power of two.
const TICK_BITS: u32 = 20;
const DIGIT_BITS: u32 = Places::MOST.ilog2();
const BUCKETS: usize = Places::MOST;
/// Enough for whatever a deadline can be.
const LEVELS: usize = (Nanoseconds::BITS - TICK_BITS).div_ceil(DIGIT_BITS) as usize;

/// No slot.
const NONE: u32 = u32::MAX;

/// So many of a bucket are looked at to find the earliest.
const LOOKED_AT: usize = 32;

pub(super) struct Far {
    /// All timers here are for a later tick.
    reached: u64,
    /// Which buckets there are, by level.
    occupied: [Places; LEVELS],
    /// The slots of their last timers, from which each links to the one that came before it.
    buckets: [[u32; BUCKETS]; LEVELS],
}

#[derive(Clone, Copy)]
struct Bucket {
    level: usize,
    digit: usize,
}

impl Default for Far {
    fn default() -> Self {
        Self { reached: 0, occupied: [Places::NONE; LEVELS], buckets: [[NONE; BUCKETS]; LEVELS] }
    }
}

fn tick(time: Nanoseconds) -> u64 {
    time >> TICK_BITS
}

impl Far {
    /// Whether a timer is for the wheel.
    #[inline]
    pub(super) fn suits(&self, deadline: Nanoseconds) -> bool {
        tick(deadline) > self.reached
    }

    /// The bucket of a timer that [suits](Self::suits).
    fn bucket_of(&self, deadline: Nanoseconds) -> Bucket {
        let tick = tick(deadline);
        let level = (tick ^ self.reached).ilog2() / DIGIT_BITS;
        Bucket { level: level as usize, digit: (tick >> (level * DIGIT_BITS)) as usize % BUCKETS }
    }

    /// Enters the timer of a slot, which [suits](Self::suits).
    pub(super) fn insert(&mut self, slots: &mut Slots, slot: u32) {
        let Bucket { level, digit } = self.bucket_of(slots[slot].deadline);
        let previous = std::mem::replace(&mut self.buckets[level][digit], slot);
        self.occupied[level].insert(digit);
        slots[slot].at = At(previous, NONE);
        link(slots, previous, |_, next| *next = slot);
    }

    /// Takes a timer out.
    pub(super) fn remove(&mut self, slots: &mut Slots, deadline: Nanoseconds, At(previous, next): At) {
        link(slots, previous, |_, its_next| *its_next = next);
        if next == NONE {
            let bucket = self.bucket_of(deadline);
            self.set_last(bucket, previous);
        } else {
            link(slots, next, |its_previous, _| *its_previous = previous);
        }
    }

    fn set_last(&mut self, Bucket { level, digit }: Bucket, last: u32) {
        self.buckets[level][digit] = last;
        if last == NONE {
            self.occupied[level].remove(digit);
        }
    }

    /// The bucket that comes first.
    fn first(&self) -> Option<Bucket> {
        let level = self.occupied.iter().position(|buckets| !buckets.is_empty())?;
        let digit = self.occupied[level].lowest()?;
        Some(Bucket { level, digit })
    }

    /// The tick at which a bucket begins.
    fn start(&self, Bucket { level, digit }: Bucket) -> u64 {
        let below = level as u32 * DIGIT_BITS;
        let above = self.reached >> (below + DIGIT_BITS);
        (above << DIGIT_BITS | digit as u64) << below
    }

    /// Goes on to the first bucket, if that is at `now` already, or if its timers are known to the tick. Those that
    /// are due in its first tick are handed out. False if there is no such bucket.
    pub(super) fn advance(
        &mut self,
        slots: &mut Slots,
        now: Nanoseconds,
        mut due: impl FnMut(&mut Slots, u32),
    ) -> bool {
        let first = self.first().filter(|&first| first.level == 0 || self.start(first) <= tick(now));
        let Some(bucket) = first else {
            // There is nothing before that.
            self.reached = self.reached.max(tick(now));
            return false;
        };
        self.reached = self.start(bucket);
        let mut last = self.buckets[bucket.level][bucket.digit];
        self.set_last(bucket, NONE);
        while last != NONE {
            let slot = last;
            let Slot { deadline, at: At(previous, _), .. } = slots[slot];
            last = previous;
            if self.suits(deadline) {
                self.insert(slots, slot);
            } else {
                due(slots, slot);
            }
        }
        true
    }

    /// A time before which nothing here is due: that of the first timer, or where there are too many to look at
    /// them all, that at which the first bucket begins.
    pub(super) fn next(&self, slots: &Slots) -> Option<Nanoseconds> {
        let first = self.first()?;
        let mut slot = self.buckets[first.level][first.digit];
        let mut earliest = Nanoseconds::MAX;
        for _ in 0..LOOKED_AT {
            let Slot { deadline, at: At(previous, _), .. } = slots[slot];
            earliest = earliest.min(deadline);
            slot = previous;
            if slot == NONE {
                return Some(earliest);
            }
        }
        Some(self.start(first) << TICK_BITS)
    }
}

/// Shows the links of a slot in a bucket, if it is one.
fn link(slots: &mut Slots, slot: u32, change: impl FnOnce(&mut u32, &mut u32)) {
    if slot != NONE {
        let At(previous, next) = &mut slots[slot].at;
        change(previous, next);
    }
}
