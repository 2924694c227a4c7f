//! Barriers.

use std::rc::Rc;

use greenlet::sync::Barrier;
use greenlet::{join_all, spawn, with_timeout, yield_now};

use crate::common::{Log, MS, end};

/// do-not-repeat G6.
#[test]
fn a_barrier_lets_through_when_all_are_there_and_again() {
    let (barrier, log) = (Rc::new(Barrier::new(3)), Log::default());
    let tasks: Vec<_> = (0..3)
        .map(|n| {
            let (barrier, log) = (barrier.clone(), log.clone());
            spawn(move || {
                for round in 0..2 {
                    log.note(format!("{n} comes"));
                    if barrier.wait().is_leader() {
                        log.note(format!("round {round} is led by {n}"));
                    }
                }
            })
        })
        .collect();
    join_all(&tasks, None);
    let expected = "0 comes, 1 comes, 2 comes, round 0 is led by 2, 2 comes, 0 comes, 1 comes, \
                    round 1 is led by 1";
    assert_eq!(log.take().join(", "), expected);
}

#[test]
fn one_who_is_killed_at_a_barrier_is_not_there_any_more() {
    let barrier = Rc::new(Barrier::new(2));
    let come = || {
        let barrier = barrier.clone();
        spawn(move || barrier.wait().is_leader())
    };
    let killed = come();
    yield_now();
    end(&killed);
    assert!(with_timeout(MS, || barrier.wait()).is_err());
    let waiting = come();
    yield_now();
    assert!(!waiting.is_finished(), "those two did not count");
    assert!(come().join().unwrap());
    assert!(!waiting.join().unwrap());
    assert!(Barrier::new(0).wait().is_leader());
}

#[test]
fn one_who_is_killed_after_it_was_let_through_takes_nobody_else_away() {
    let barrier = Rc::new(Barrier::new(2));
    let comes = || {
        let barrier = barrier.clone();
        spawn(move || barrier.wait())
    };
    let first = comes();
    yield_now();
    let second = comes();
    assert!(barrier.wait().is_leader());
    first.kill().unwrap();
    // The second one comes before the first one unwinds.
    yield_now();
    assert!(first.is_finished() && !second.is_finished());
    assert!(barrier.wait().is_leader(), "two are there");
    assert!(!second.join().unwrap().is_leader());
}
