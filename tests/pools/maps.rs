//! Maps over a pool or a group, in order and as they come.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::pool::{Group, Pool};
use greenlet::sync::Event;
use greenlet::{TaskError, sleep, spawn, with_timeout, yield_now};

use crate::{FOREVER, MS, all_others_run, fails_at, quiet, texts, waits};

/// gevent 72. eventlet 14, 17.
#[test]
fn imap_gives_results_in_the_order_of_the_items_and_errors_in_their_places() {
    quiet();
    let pool = Pool::new(3);
    let slow_first = |n: i32| {
        (0..5 - n).for_each(|_| yield_now());
        fails_at(1)(n)
    };
    assert_eq!(texts(pool.imap(0..5, slow_first)), ["0", "the task panicked: number 1", "2", "3", "4"]);
    assert_eq!(texts(Group::new().imap(0..5, fails_at(4)))[..4], ["0", "1", "2", "3"]);
    assert_eq!(texts(pool.imap([], fails_at(0))), [""; 0]);
}

/// gevent 72.
#[test]
fn imap_unordered_gives_results_in_the_order_of_the_ends() {
    quiet();
    let gates: Vec<_> = (0..4).map(|_| Rc::new(Event::new())).collect();
    let f = {
        let gates = gates.clone();
        move |n: i32| {
            gates[n as usize].wait();
            fails_at(1)(n)
        }
    };
    let mut results = Pool::new(4).imap_unordered(0..4, f);
    let mut order = Vec::new();
    for n in [2, 1, 3, 0] {
        gates[n].set();
        order.extend(texts(results.by_ref().take(1)));
    }
    assert_eq!(order, ["2", "the task panicked: number 1", "3", "0"]);
    assert!(results.next().is_none() && results.next().is_none());
    assert_eq!(texts(Group::new().imap_unordered(0..3, fails_at(9))), ["0", "1", "2"]);
}

/// eventlet 15. gevent 74.
#[test]
fn maps_are_never_ahead_of_their_consumer_by_more_than_the_size_of_the_pool() {
    for unordered in [false, true] {
        let (pool, pulled, alive) = (Pool::new(3), Rc::new(Cell::new(0)), Rc::new(()));
        let items = {
            let pulled = pulled.clone();
            (0..100).inspect(move |_| pulled.set(pulled.get() + 1))
        };
        let f = {
            let alive = alive.clone();
            move |_| alive.clone()
        };
        let mut results: Box<dyn Iterator<Item = Result<Rc<()>, TaskError>>> = match unordered {
            false => Box::new(pool.imap(items, f)),
            true => Box::new(pool.imap_unordered(items, f)),
        };
        assert_eq!(pulled.get(), 0);
        for taken in 1..20 {
            drop(results.next().unwrap().unwrap());
            all_others_run();
            assert!(pulled.get() <= taken + 3, "{} pulled, {taken} taken", pulled.get());
            // `f` and the test hold one each.
            assert!(Rc::strong_count(&alive) <= 2 + 3);
        }
        assert_eq!(results.count(), 100 - 19);
    }
}

/// eventlet 16. E4, second half.
#[test]
fn a_map_runs_in_the_pool_that_it_was_asked_of() {
    let (pool, most) = (Pool::new(2), Rc::new(Cell::new(0)));
    let f = {
        let (pool, most) = (pool.clone(), most.clone());
        move |_| {
            most.set(most.get().max(pool.len()));
            yield_now();
        }
    };
    let other = {
        let (pool, f) = (pool.clone(), f.clone());
        spawn(move || pool.map(0..20, f).unwrap())
    };
    pool.map(0..20, f).unwrap();
    other.join().unwrap();
    assert_eq!(most.get(), 2, "two maps share the places");
    let mut results = pool.imap([1, 2], |_| sleep(FOREVER));
    assert!(with_timeout(MS, || results.next()).is_err());
    assert!(!pool.join(Some(MS)), "and a join waits for them");
    drop(results);
    assert!(pool.join(None));
}

/// eventlet 18. gevent 73. E4, first half.
#[test]
fn a_source_that_panics_does_so_to_the_consumer_and_only_once() {
    for unordered in [false, true] {
        let items = (0..5).inspect(|n| assert!(*n < 2, "the source is dry"));
        let pool = Pool::new(3);
        let mut results: Box<dyn Iterator<Item = Result<i32, TaskError>>> = match unordered {
            false => Box::new(pool.imap(items, |n| n)),
            true => Box::new(pool.imap_unordered(items, |n| n)),
        };
        let payload = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the source is dry"));
        assert_eq!(texts(results), ["0", "1"], "those that were taken come after that, and the end");
        assert!(pool.join(None));
    }
}

/// eventlet 19.
#[test]
fn a_map_that_is_dropped_half_way_kills_what_is_running() {
    for unordered in [false, true] {
        let (pool, unwound) = (Pool::new(2), Rc::new(()));
        let f = {
            let unwound = unwound.clone();
            move |n: u32| {
                let _held = unwound.clone();
                if n > 0 {
                    sleep(FOREVER);
                }
            }
        };
        let mut results: Box<dyn Iterator<Item = Result<(), TaskError>>> = match unordered {
            false => Box::new(pool.imap(0.., f)),
            true => Box::new(pool.imap_unordered(0.., f)),
        };
        results.next().unwrap().unwrap();
        drop(results);
        assert!(pool.join(None));
        assert_eq!(Rc::strong_count(&unwound), 1);
    }
}

#[test]
fn map_returns_the_values_or_the_first_error() {
    quiet();
    let pool = Pool::new(2);
    assert_eq!(pool.map(0..5, |n| n * n).unwrap(), [0, 1, 4, 9, 16]);
    assert_eq!(pool.map(0..5, fails_at(2)).unwrap_err().message(), Some("number 2"));
    assert_eq!(Group::new().map(["a", "bc"], str::len).unwrap(), [1, 2]);
    assert!(pool.join(None));
}

#[test]
fn a_consumer_that_is_interrupted_can_go_on() {
    let gate = Rc::new(Event::new());
    let mut results = Pool::new(2).imap(0..4, {
        let gate = gate.clone();
        move |n| {
            gate.wait();
            n
        }
    });
    assert!(with_timeout(MS, || results.next()).is_err());
    gate.set();
    assert_eq!(texts(results), ["0", "1", "2", "3"], "nothing was lost");
}

#[test]
fn a_map_whose_pool_is_full_of_others_waits_for_them() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let holder = pool.spawn(waits(&gate));
    let mapper = spawn({
        let pool = pool.clone();
        move || pool.map([1, 2], |n| n).unwrap()
    });
    all_others_run();
    assert!(!mapper.is_finished());
    gate.set();
    assert_eq!(mapper.join().unwrap(), [1, 2]);
    holder.join().unwrap();
}
