//! Piles: results in the order of spawning.

use std::cell::RefCell;
use std::rc::Rc;

use greenlet::pool::{Pile, Pool};
use greenlet::sync::Event;
use greenlet::{spawn, yield_now};

use crate::{fails_at, quiet, texts, waits};

/// eventlet 20.
#[test]
fn a_pile_gives_results_in_the_order_of_spawning_and_errors_in_their_places() {
    quiet();
    let pile = Pile::of_size(4);
    assert!(Pile::<()>::of_size(4).next().is_none(), "an empty one ends at once");
    for n in 0..4 {
        pile.spawn(move || {
            (0..4 - n).for_each(|_| yield_now());
            fails_at(1)(n)
        });
    }
    assert_eq!(texts(&pile), ["0", "the task panicked: number 1", "2", "3"]);
    pile.spawn(|| 4);
    assert_eq!((pile.len(), texts(pile)), (1, vec!["4".into()]));
}

/// eventlet 20.
#[test]
fn a_pile_on_a_full_pool_waits_and_counts_only_what_it_spawned() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let pile = Rc::new(Pile::new(&pool));
    let holder = pool.spawn(waits(&gate));
    let spawner = spawn({
        let pile = pile.clone();
        move || pile.spawn(|| 1)
    });
    yield_now();
    assert!(!spawner.is_finished() && pile.is_empty());
    spawner.kill().unwrap();
    spawner.join().unwrap_err();
    assert!(pile.next().is_none(), "what was not spawned is not waited for");
    gate.set();
    holder.join().unwrap();
    pile.spawn(|| 2);
    assert_eq!(pile.next().unwrap().unwrap(), 2);
}

/// eventlet 21.
#[test]
fn a_pile_may_be_emptied_by_another_task_than_the_one_that_fills_it() {
    let pile = Rc::new(Pile::of_size(2));
    let taken = Rc::new(RefCell::new(Vec::new()));
    let taker = {
        let (pile, taken) = (pile.clone(), taken.clone());
        move || {
            while let Some(result) = pile.next() {
                taken.borrow_mut().push(result.unwrap());
            }
        }
    };
    for n in 0..6 {
        pile.spawn(move || {
            yield_now();
            n
        });
    }
    let interrupted = spawn(taker.clone());
    yield_now();
    interrupted.kill().unwrap();
    spawn(taker).join().unwrap();
    interrupted.join().unwrap_err();
    assert_eq!(*taken.borrow(), [0, 1, 2, 3, 4, 5], "who was killed took nothing along");
}
