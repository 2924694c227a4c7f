//! Events.

use std::rc::Rc;

use greenlet::sync::Event;
use greenlet::{join_all, spawn, yield_now};

use crate::common::{Log, MS, settle, spin};

/// gevent 50, 52.
#[test]
fn an_event_that_is_set_and_cleared_at_once_wakes_everybody_who_waited_in_their_order() {
    for count in [1, 100, 1000] {
        let (event, log) = (Rc::new(Event::new()), Log::default());
        let tasks: Vec<_> = (0..count)
            .map(|n: u32| {
                let (event, log) = (event.clone(), log.clone());
                spawn(move || {
                    event.wait();
                    log.note(n.to_string());
                })
            })
            .collect();
        settle();
        event.set();
        event.clear();
        join_all(&tasks, None);
        assert_eq!(log.take(), (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(!event.is_set());
    }
}

/// gevent 51; do-not-repeat E7.
#[test]
fn a_wait_for_an_event_says_whether_it_was_set_in_time() {
    let event = Event::new();
    assert!(!event.wait_timeout(MS));
    assert!(!event.wait_timeout(std::time::Duration::ZERO));
    event.set();
    assert!(event.wait_timeout(std::time::Duration::ZERO));
}

/// eventlet 25, where the timeout wins.
#[test]
fn an_event_that_is_set_before_the_waiter_runs_was_set_in_time() {
    let event = Rc::new(Event::new());
    let waiter = spawn({
        let event = event.clone();
        move || event.wait_timeout(MS)
    });
    yield_now();
    spin(5 * MS);
    event.set();
    assert!(waiter.join().unwrap());
}

/// gevent 51.
#[test]
fn who_waits_for_an_event_again_when_woken_waits_for_the_next_time_it_is_set() {
    let (event, log) = (Rc::new(Event::new()), Log::default());
    for name in ["a", "b"] {
        let (event, log) = (event.clone(), log.clone());
        drop(spawn(move || {
            for n in 0..2 {
                event.wait();
                event.clear();
                log.note(format!("{name}{n}"));
            }
        }));
    }
    settle();
    event.set();
    settle();
    assert_eq!(log.take(), ["a0", "b0"]);
    event.set();
    settle();
    assert_eq!(log.take(), ["a1", "b1"]);
}
