//! The rows of `test_generator_nested.py`.

use std::panic::catch_unwind;
use std::rc::Rc;

use crate::generator::{Generator, emit, emit_past};

// test_generator_nested.py::NestedGeneratorTests::test_layered_genlets
#[test]
fn a_value_can_be_given_past_the_generator_that_asks() {
    let outer = Generator::<u32>::new(|| {
        let inner = Generator::<u32>::new(|| {
            for n in 1..4_u32 {
                emit(n);
                emit_past(1, n * 10);
            }
        });
        for n in inner {
            emit(n + 100);
        }
    });
    assert_eq!(outer.collect::<Vec<_>>(), [101, 10, 102, 20, 103, 30]);
}

/// All orders of some items.
fn permutations(items: Vec<u8>) -> Generator<Vec<u8>> {
    Generator::new(move || {
        let Some((first, rest)) = items.split_first() else { return emit(Vec::<u8>::new()) };
        for shorter in permutations(rest.to_vec()) {
            for place in 0..=shorter.len() {
                let mut order = shorter.clone();
                order.insert(place, *first);
                emit(order);
            }
        }
    })
}

// test_generator_nested.py::NestedGeneratorTests::test_permutations
#[test]
fn recursive_generators_run_in_lockstep() {
    let mut both = 0;
    for (forward, shifted) in permutations(vec![1, 2, 3, 4]).zip(permutations(vec![11, 12, 13, 14])) {
        assert!(forward.iter().zip(&shifted).all(|(a, b)| a + 10 == *b));
        both += 1;
    }
    assert_eq!(both, 24);
    let mut all: Vec<_> = permutations(vec![1, 2, 3]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}

// test_generator_nested.py::NestedGeneratorTests::test_genlet_simple
#[test]
fn values_are_given_from_within_nested_calls() {
    fn countdown(n: u32) {
        if n > 0 {
            emit(n);
            countdown(n - 1);
        }
    }
    for _ in 0..3 {
        assert_eq!(Generator::<u32>::new(|| countdown(4)).sum::<u32>(), 10);
    }
}

// test_generator_nested.py::NestedGeneratorTests::test_genlet_bad
#[test]
fn a_value_that_is_given_outside_of_a_generator_is_an_error() {
    std::thread::spawn(|| assert!(catch_unwind(|| emit(1)).is_err())).join().unwrap();
    // Right after having been in one, too.
    assert_eq!(Generator::<u32>::new(|| emit(1_u32)).count(), 1);
    std::thread::spawn(|| assert!(catch_unwind(|| emit_past(1, 1)).is_err())).join().unwrap();
}

// test_generator_nested.py::NestedGeneratorTests::test_nested_genlets
#[test]
fn generators_delegate_to_generators_five_deep() {
    fn nest(depth: u32, held: Rc<()>) -> Generator<u32> {
        Generator::new(move || {
            emit(depth);
            if depth > 1 {
                nest(depth - 1, held.clone()).for_each(emit);
            }
        })
    }
    let held = Rc::new(());
    assert_eq!(nest(5, held.clone()).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    // One that is let go halfway lets go of those within.
    assert_eq!(nest(5, held.clone()).take(3).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(Rc::strong_count(&held), 1);
}
