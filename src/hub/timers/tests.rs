//! What cannot be seen from above without waiting for it: timers of all distances, in an order that a sorted map
//! would have them in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{Action, TimerKey, Timers};

/// Timers with their model: by deadline and age, what is to fire.
#[derive(Default)]
struct Both {
    timers: Timers,
    model: BTreeMap<(u64, usize), TimerKey>,
    set: usize,
    now: u64,
}

/// Random enough, and the same each time. (xorshift)
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Of each magnitude as many.
    fn below_power(&mut self, bits: u64) -> u64 {
        let bits = 1 + self.below(bits);
        self.below(1 << bits)
    }
}

impl Both {
    fn set(&mut self, deadline: u64) {
        let at = self.timers.base + Duration::from_nanos(deadline);
        let name = self.set;
        let key =
            self.timers.insert(at, Action::Call(Box::new(move |_| unreachable!("{name} is not called"))));
        self.model.insert((deadline, name), key);
        self.set += 1;
    }

    fn cancel(&mut self, index: usize) {
        let Some(&name) = self.model.keys().nth(index) else { return };
        let key = self.model.remove(&name).unwrap();
        assert!(self.timers.contains(key));
        assert!(self.timers.remove(key).is_some());
        assert!(!self.timers.contains(key) && self.timers.remove(key).is_none());
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        let now = self.timers.base + Duration::from_nanos(self.now);
        while let Some(first) = self.model.first_entry().filter(|first| first.key().0 <= self.now) {
            let key = first.remove();
            assert!(self.timers.pop_due(now).is_some());
            assert!(!self.timers.contains(key), "another one came first");
        }
        assert!(self.timers.pop_due(now).is_none());
        self.check();
    }

    /// The next look is not too late, and not in the past.
    fn check(&self) {
        assert_eq!(self.timers.len(), self.model.len());
        let next = self.timers.next_deadline().map(|next| (next - self.timers.base).as_nanos() as u64);
        let first = self.model.keys().next().map(|&(deadline, _)| deadline);
        assert_eq!(next.is_some(), first.is_some());
        assert!(next <= first && next.is_none_or(|next| next > self.now), "{next:?} {first:?} {}", self.now);
    }
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines_and_of_their_ages_among_equals() {
    for seed in 1..=20 {
        let (mut both, mut random) = (Both::default(), Random(seed));
        for _ in 0..400 {
            for _ in 0..random.below(20) {
                let distance = random.below_power(55);
                both.set(both.now + distance.next_multiple_of(random.below_power(24) + 1));
            }
            for _ in 0..random.below(8) {
                let index = random.below(1 + both.model.len() as u64);
                both.cancel(index as usize);
            }
            let time = random.below_power(50);
            both.pass(time);
        }
    }
}

#[test]
fn many_timers_at_about_the_same_time_fire_in_order() {
    let (mut both, mut random) = (Both::default(), Random(7));
    (0..5000).for_each(|_| both.set(3_600_000_000_000 + random.below(1 << 30)));
    while !both.model.is_empty() {
        both.check();
        both.pass(random.below(1 << 26));
        if both.now < 3_600_000_000_000 {
            both.pass(random.below(1 << 38));
        }
    }
}

#[test]
fn a_deadline_that_never_comes_is_a_deadline() {
    let mut both = Both::default();
    both.timers.insert(both.timers.base + Duration::from_secs(1 << 40), Action::Call(Box::new(|_| ())));
    assert!(both.timers.pop_due(both.timers.base + Duration::from_secs(1 << 33)).is_none());
    assert_eq!(both.timers.len(), 1);
}

/// What a timer owns goes with it, wherever it is.
#[test]
fn a_timer_that_is_cancelled_leaves_nothing_behind() {
    let (mut timers, owned) = (Timers::default(), Rc::new(RefCell::new(())));
    let keys: Vec<_> = (0..60)
        .map(|bits| {
            let owned = owned.clone();
            timers.insert(
                timers.base + Duration::from_nanos(1 << bits),
                Action::Call(Box::new(move |_| drop(owned))),
            )
        })
        .collect();
    keys.into_iter().for_each(|key| drop(timers.remove(key)));
    assert_eq!(Rc::strong_count(&owned), 1);
    assert!(timers.is_empty() && timers.next_deadline().is_none());
}

/// Whoever sets many at once, after others have ended in whatever order, finds places that are neighbours.
#[test]
fn places_of_timers_that_have_gone_are_given_out_as_they_lie() {
    const COUNT: u32 = 1000;
    let (mut timers, mut random) = (Timers::default(), Random(3));
    let set = |timers: &mut Timers| -> Vec<TimerKey> {
        (0..COUNT).map(|_| timers.insert(timers.base, Action::Call(Box::new(|_| ())))).collect()
    };
    let mut keys = set(&mut timers);
    while !keys.is_empty() {
        let key = keys.swap_remove(random.below(keys.len() as u64) as usize);
        assert!(timers.remove(key).is_some());
    }
    let places: Vec<u32> = set(&mut timers).iter().map(|key| key.slot).collect();
    assert!(places.iter().all(|&place| place < COUNT));
    let neighbours = places.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() as u32;
    assert!(neighbours >= COUNT - COUNT.div_ceil(u64::BITS), "all, but from one word to the next");
}
