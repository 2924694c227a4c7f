//! What cannot be seen from above: which stack goes out next.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::class::Class;
use crate::random;
use crate::stack::{SizeClass, Stack};

/// Stacks of the smallest class, and which of them wait.
struct Both {
    class: Class,
    waiting: BTreeSet<usize>,
    in_use: Vec<Stack>,
}

impl Both {
    fn new() -> Self {
        Self { class: Class::new(), waiting: BTreeSet::new(), in_use: Vec::new() }
    }

    fn size() -> SizeClass {
        SizeClass::for_bytes(1).unwrap()
    }

    /// Takes a stack, a used one if one waits.
    fn take(&mut self) -> usize {
        let used = self.class.take(Self::size());
        assert_eq!(used.is_some(), !self.waiting.is_empty());
        let stack = used.unwrap_or_else(|| self.class.carve(Self::size()).unwrap());
        assert_eq!(used.is_some(), self.waiting.remove(&stack.guard()), "one that waits, or a new one");
        assert!(self.in_use.iter().all(|other| other.guard() != stack.guard()), "nobody has it");
        self.in_use.push(stack);
        stack.guard()
    }

    fn give_back(&mut self, index: usize) {
        let stack = self.in_use.swap_remove(index);
        self.class.give_back(stack);
        assert!(self.waiting.insert(stack.guard()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    GiveBack(Vec<Index>),
    EndEpoch,
    Trim,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (1..40_usize).prop_map(Step::Take),
        10 => vec(any::<Index>(), 1..40).prop_map(Step::GiveBack),
        1 => Just(Step::EndEpoch),
        1 => Just(Step::Trim),
    ]
}

proptest! {
    #![proptest_config(random::config(20, 20))]

    #[test]
    fn each_stack_has_one_user_at_a_time_and_is_used_again(steps in vec(step(), 1..300)) {
        let mut both = Both::new();
        for step in steps {
            match step {
                Step::Take(count) => (0..count).for_each(|_| _ = both.take()),
                Step::GiveBack(which) => {
                    for index in which.iter().take(both.in_use.len()) {
                        both.give_back(index.index(both.in_use.len()));
                    }
                }
                Step::EndEpoch => both.class.end_epoch(),
                Step::Trim => both.class.trim(),
            }
        }
    }
}

#[test]
fn neighbours_go_out_one_after_the_other_however_they_came_back() {
    let mut both = Both::new();
    (0..1000).for_each(|_| _ = both.take());
    (0..1000).for_each(|n| both.give_back(n * 7919 % both.in_use.len()));
    let taken: Vec<_> = (0..1000).map(|_| both.take()).collect();
    let neighbours = taken.windows(2).filter(|pair| pair[1] == pair[0] + Both::size().bytes());
    // The others begin a group, and a region need not be a whole number of them.
    assert!(neighbours.count() > 1000 - 1000 / 64 - 8);
}

#[test]
fn who_owns_memory_goes_out_before_who_does_not() {
    let mut both = Both::new();
    (0..300).for_each(|_| _ = both.take());
    (0..250).for_each(|_| both.give_back(0));
    both.class.trim();
    let warm: BTreeSet<_> = both.in_use.iter().map(|stack| stack.guard()).collect();
    (0..50).for_each(|_| both.give_back(0));
    assert_eq!((0..50).map(|_| both.take()).collect::<BTreeSet<_>>(), warm);
}

/// All of them are in use at times, and some all the time.
#[test]
fn those_that_nobody_has_wanted_for_an_epoch_lose_their_memory() {
    let many = 2 * Class::PEAK;
    let mut both = Both::new();
    let use_some = |both: &mut Both, count| {
        (0..count).for_each(|_| _ = both.take());
        (0..count).for_each(|_| both.give_back(0));
    };
    use_some(&mut both, many);
    both.class.end_epoch();
    assert!(both.class.may_be_past_a_peak(), "they were in use in the epoch");
    use_some(&mut both, Class::PEAK / 4);
    both.class.end_epoch();
    assert!(!both.class.may_be_past_a_peak());
    use_some(&mut both, many);
    assert!(both.class.may_be_past_a_peak(), "they have memory again");
}
