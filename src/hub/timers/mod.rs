//! What happens when: those that are due soon in order, and all others in a wheel.
//!
//! Most timers are cancelled, or wait for long, and need no order before their time has almost come. One that is
//! cancelled leaves nothing behind. Once all has grown to the usual load, nothing allocates.

mod far;
mod near;
mod slots;
#[cfg(test)]
mod tests;

use std::mem;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use slab::Slab;

use self::far::Far;
use self::near::Near;
use self::slots::Slots;
use super::{Fiber, Hub};
use crate::arch::prefetch;

/// What a timer does.
pub(crate) enum Action {
    /// Makes a greenlet ready. Whoever sets the timer cancels it before that greenlet ends.
    Wake(NonNull<Fiber>),
    /// Calls a function, which must neither wait nor panic.
    Call(Call),
}

pub(super) type Call = Box<dyn FnOnce(&Hub)>;

/// Names a timer that was set. It may have fired since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    slot: u32,
    /// Tells a slot's timers apart.
    age: u64,
}

pub(crate) struct Timers {
    /// Deadlines are counted from here.
    base: Instant,
    slots: Slots,
    calls: Slab<Call>,
    near: Near,
    far: Far,
    next_age: u64,
}

/// Since the base. They last for centuries, and what is later than that is as good as never.
type Nanoseconds = u64;

/// Owns nothing, so that it is written word by word to where it stays. What owns something is made on the stack
/// first, in case of a panic, and copied by more than a word at a time: that has to wait until the words have
/// reached the cache, and where a greenlet sleeps for the first time its stack is not there.
#[derive(Clone, Copy)]
struct Slot {
    deadline: Nanoseconds,
    age: u64,
    at: At,
    does: Packed,
}

// Two are a cache line.
const _: () = assert!(size_of::<Slot>() == 32);

impl Slot {
    const VACANT: Self = Self { deadline: 0, age: u64::MAX, at: At(0, 0), does: Packed(ptr::null_mut()) };
}

/// Where a timer is to be found, which depends on whether its deadline [suits](Far::suits) the wheel: in a bucket,
/// between these slots, or at the first of these places in the heap.
#[derive(Clone, Copy)]
struct At(u32, u32);

/// An [`Action`], or where it is.
enum Does {
    Wake(NonNull<Fiber>),
    /// At this place among the calls.
    Call(usize),
}

/// That in one word: a pointer, or an odd number.
#[derive(Clone, Copy)]
struct Packed(*mut Fiber);

const _: () = assert!(align_of::<Fiber>() > 1);

impl Packed {
    fn new(does: Does) -> Self {
        match does {
            Does::Wake(fiber) => Self(fiber.as_ptr()),
            Does::Call(place) => Self(ptr::without_provenance_mut(2 * place + 1)),
        }
    }

    fn unpack(self) -> Does {
        match NonNull::new(self.0).filter(|fiber| fiber.addr().get() & 1 == 0) {
            Some(fiber) => Does::Wake(fiber),
            None => Does::Call(self.0.addr() / 2),
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        let (slots, calls, near, far) = (Slots::default(), Slab::new(), Near::default(), Far::default());
        Self { base: Instant::now(), slots, calls, near, far, next_age: 0 }
    }
}

impl Timers {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// Gives no timer of its own a key that one of `other` has had.
    pub(super) fn skip_keys_of(&mut self, other: &Self) {
        self.next_age = self.next_age.max(other.next_age);
    }

    /// When to look for what is due: at the first deadline, or where many are due at about the same time, a long
    /// time from now, at some time before that.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let first = self.near.first().map(|first| first.deadline).or_else(|| self.far.next(&self.slots))?;
        Some(self.base + Duration::from_nanos(first))
    }

    pub(crate) fn insert(&mut self, deadline: Instant, action: Action) -> TimerKey {
        match action {
            Action::Wake(fiber) => self.insert_wake(deadline, fiber),
            Action::Call(call) => {
                let place = self.calls.insert(call);
                self.enter(deadline, Does::Call(place))
            }
        }
    }

    /// As [`insert`](Self::insert), of the usual action. That travels in a register this way, for the reason why
    /// a [`Slot`] owns nothing.
    pub(crate) fn insert_wake(&mut self, deadline: Instant, fiber: NonNull<Fiber>) -> TimerKey {
        self.enter(deadline, Does::Wake(fiber))
    }

    #[inline(always)]
    fn enter(&mut self, deadline: Instant, does: Does) -> TimerKey {
        let (deadline, age) = (self.count(deadline), self.next_age);
        self.next_age += 1;
        let slot = self.slots.take();
        self.slots[slot] = Slot { deadline, age, at: At(0, 0), does: Packed::new(does) };
        if self.far.suits(deadline) {
            self.far.insert(&mut self.slots, slot);
        } else {
            self.near.insert(&mut self.slots, slot);
        }
        TimerKey { slot, age }
    }

    /// Forgets them all. Returns what they were to call, to be dropped: it may own anything.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Call> + use<> {
        let none = Self { next_age: self.next_age, ..Self::default() };
        mem::replace(self, none).calls.into_iter().map(|(_, call)| call)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn contains(&self, key: TimerKey) -> bool {
        self.slots.get(key.slot).is_some_and(|slot| slot.age == key.age)
    }

    /// Takes a timer out, unless it has fired.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Action> {
        self.contains(key).then(|| self.take(key.slot))
    }

    /// Takes out the oldest of the earliest, if its time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Action> {
        let now = self.count(now);
        while self.near.is_empty() && self.advance(now) {}
        let first = self.near.first().filter(|first| first.deadline <= now)?;
        Some(self.take(first.slot))
    }

    /// Brings near what is due soonest of what is far; false if there is nothing yet.
    fn advance(&mut self, now: Nanoseconds) -> bool {
        self.far.advance(&mut self.slots, now, |slots, slot| {
            // With many greenlets it is not in the caches, and all of these are made ready one after the other.
            if let Does::Wake(fiber) = slots[slot].does.unpack() {
                prefetch(fiber.as_ptr().cast());
            }
            self.near.insert(slots, slot);
        })
    }

    fn take(&mut self, slot: u32) -> Action {
        let Slot { deadline, at, does, .. } = self.slots.remove(slot);
        if self.far.suits(deadline) {
            self.far.remove(&mut self.slots, deadline, at);
        } else {
            self.near.remove(&mut self.slots, at.0);
        }
        match does.unpack() {
            Does::Wake(fiber) => Action::Wake(fiber),
            Does::Call(place) => Action::Call(self.calls.remove(place)),
        }
    }

    fn count(&self, time: Instant) -> Nanoseconds {
        let since = time.saturating_duration_since(self.base);
        since.as_secs().saturating_mul(1_000_000_000).saturating_add(since.subsec_nanos().into())
    }
}
