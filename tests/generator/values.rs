//! What goes in and out, and what becomes of it.

use std::rc::Rc;

use greenlet::{Generator, Greenlet, Step};

// test_generator.py: test_generator
#[test]
fn a_generator_yields_its_values_in_order_and_ends() {
    for _ in 0..3 {
        let generator = Generator::new(|yielder, ()| (0..5).for_each(|n| yielder.yield_(n)));
        assert_eq!(generator.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}

// test_generator_nested.py: test_genlet_simple
#[test]
fn it_may_yield_from_any_depth_of_calls() {
    fn deep(yielder: &greenlet::Yielder<(), u32>, depth: u32) {
        if depth > 0 {
            deep(yielder, depth - 1);
        }
        yielder.yield_(depth);
    }
    let generator = Generator::new(|yielder, ()| deep(yielder, 3));
    assert_eq!(generator.collect::<Vec<_>>(), [0, 1, 2, 3]);
}

// test_generator_nested.py: test_permutations
#[test]
fn recursive_generators_run_in_lockstep() {
    fn permutations(items: Vec<u32>) -> Generator<(), Vec<u32>, ()> {
        Generator::new(move |yielder, ()| {
            let Some((first, rest)) = items.split_first() else {
                yielder.yield_(Vec::new());
                return;
            };
            for shorter in permutations(rest.to_vec()) {
                for place in 0..=shorter.len() {
                    let mut longer = shorter.clone();
                    longer.insert(place, *first);
                    yielder.yield_(longer);
                }
            }
        })
    }
    let pairs: Vec<_> = permutations(vec![1, 2, 3]).zip(permutations(vec![4, 5, 6])).collect();
    assert_eq!(pairs.len(), 6);
    assert_eq!(pairs[0], (vec![1, 2, 3], vec![4, 5, 6]));
    assert!(pairs.iter().all(|(a, b)| a.iter().zip(b).all(|(a, b)| a + 3 == *b)));
}

// test_generator_nested.py: test_nested_genlets
#[test]
fn generators_delegate_to_generators() {
    fn nested(depth: u32) -> Generator<(), u32, ()> {
        Generator::new(move |yielder, ()| {
            yielder.yield_(depth);
            if depth > 0 {
                nested(depth - 1).for_each(|n| yielder.yield_(n));
            }
        })
    }
    assert_eq!(nested(5).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
}

// test_generator_nested.py: test_layered_genlets
#[test]
fn a_yield_may_skip_a_level() {
    let outer = Generator::new(|outer: &greenlet::Yielder<(), u32>, ()| {
        for n in
            Generator::new(|inner: &greenlet::Yielder<(), u32>, ()| (0..3).for_each(|n| inner.yield_(n * 2)))
        {
            outer.yield_(n);
            outer.yield_(n + 1);
        }
    });
    assert_eq!(outer.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn values_go_both_ways_and_the_result_comes_last() {
    let mut generator = Generator::new(|yielder, mut n: u32| {
        let mut sent = String::new();
        while n != 0 {
            sent += &n.to_string();
            n = yielder.yield_(n * 2);
        }
        sent
    });
    assert_eq!(generator.resume(1), Step::Yielded(2));
    assert_eq!(generator.resume(2), Step::Yielded(4));
    assert_eq!(generator.resume(0), Step::Returned("12".into()));
    assert!(generator.is_over());
}

#[test]
fn it_may_be_moved_while_its_body_stands() {
    let mut first = Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!(first.next(), Some(0));
    let mut boxed = Box::new(first);
    assert_eq!(boxed.next(), Some(1));
    let mut back = *boxed;
    assert_eq!(back.next(), Some(2));
}

#[test]
fn large_values_go_both_ways_unharmed() {
    let mut doubles = Generator::new(|yielder, mut words: [u64; 32]| {
        loop {
            words.iter_mut().for_each(|word| *word *= 2);
            words = yielder.yield_(words);
            if words[0] == 0 {
                return words.to_vec();
            }
        }
    });
    assert_eq!(doubles.resume([7; 32]), Step::Yielded([14; 32]));
    assert_eq!(doubles.resume([8; 32]), Step::Yielded([16; 32]));
    assert_eq!(doubles.resume([0; 32]), Step::Returned(vec![0; 32]));
}

#[test]
fn every_value_is_dropped_once() {
    let value = Rc::new(());
    let mut generator = Generator::new(|yielder, mut value: Rc<()>| {
        for _ in 0..3 {
            value = yielder.yield_(value);
        }
        value
    });
    for _ in 0..3 {
        assert!(matches!(generator.resume(value.clone()), Step::Yielded(_)));
        assert_eq!(Rc::strong_count(&value), 1);
    }
    assert!(matches!(generator.resume(value.clone()), Step::Returned(_)));
    assert_eq!(Rc::strong_count(&value), 1);
    // What is returned and not taken goes with the generator; so does a body that never ran.
    let held = value.clone();
    drop(Generator::<(), (), ()>::new(move |_, ()| drop(held)));
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn its_debug_text_says_where_in_its_life_it_is() {
    let mut generator = Generator::new(|yielder, ()| yielder.yield_(1));
    let mut texts = vec![format!("{generator:?}")];
    while generator.next().is_some() {
        texts.push(format!("{generator:?}"));
    }
    texts.push(format!("{generator:?}"));
    for (text, state) in texts.iter().zip(["Unstarted", "Started", "Over"]) {
        assert!(text.contains(state), "{text}");
    }
}

/// Generators and greenlets in turn take the stacks that others leave.
#[test]
fn many_that_begin_and_end_share_their_stacks_with_greenlets() {
    for round in 0..200_u32 {
        let mut generators: Vec<_> = (0..20)
            .map(|n| {
                Generator::new(move |yielder, ()| (0..3).for_each(|m: u32| yielder.yield_(n * m + round)))
            })
            .collect();
        let started = generators.iter_mut().enumerate().filter(|(n, _)| n % 3 != 0);
        started.for_each(|(_, generator)| assert_eq!(generator.next(), Some(round)));
        assert_eq!(Greenlet::new(move |n: u32| n + round).switch(1), round + 1);
        for (n, generator) in generators.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
            let last = generator.last();
            assert_eq!(last, Some(n as u32 * 2 + round));
        }
    }
}
