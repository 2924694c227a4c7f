//! Results, and links to the ends of tasks.

use std::cell::Cell;
use std::rc::Rc;

use greenlet::sync::AsyncResult;
use greenlet::{sleep, spawn};

use crate::common::{FOREVER, Log, MS, end, settle};

/// gevent 53 and eventlet 22, where it may be set twice or asserts; do-not-repeat G4.
#[test]
fn a_result_is_set_once_and_what_is_refused_comes_back() {
    let result = AsyncResult::new();
    assert!(!result.is_ready());
    assert!(result.try_get().is_none());
    result.set("first").unwrap();
    assert_eq!(result.set("second"), Err("second"));
    assert_eq!(result.set_error("too late").unwrap_err().to_string(), "too late");
    assert_eq!(result.set_result(Ok::<_, std::fmt::Error>("third")), Err(Ok("third")));
    assert_eq!(result.get().unwrap(), &"first");
    assert!(result.is_successful());

    let result = AsyncResult::<u32>::new();
    result.set_error("first").unwrap();
    assert_eq!(result.set(2), Err(2));
    assert_eq!(result.error().unwrap().to_string(), "first");
}

/// gevent 54; eventlet 27.
#[test]
fn an_error_is_the_same_for_everybody_who_asks_and_waiting_does_not_raise_it() {
    let result = AsyncResult::<u32>::new();
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let result = result.clone();
            spawn(move || result.get().unwrap_err().to_string())
        })
        .collect();
    settle();
    result.set_error(std::io::Error::other("broken")).unwrap();
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), "broken");
    }
    result.wait();
    assert!(result.wait_timeout(MS));
    assert!(result.is_ready() && !result.is_successful() && result.value().is_none());
    assert!(result.get().unwrap_err().is::<std::io::Error>());
}

/// eventlet 23, 26, 28; do-not-repeat E6.
#[test]
fn setting_a_result_does_not_yield_and_wakes_those_who_still_wait_in_their_order() {
    let (result, log) = (AsyncResult::new(), Log::default());
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let (result, log) = (result.clone(), log.clone());
            spawn(move || log.note(format!("{n} {}", result.get().unwrap())))
        })
        .collect();
    let late = spawn({
        let result = result.clone();
        move || result.get_timeout(MS).is_none()
    });
    settle();
    end(&tasks[2]);
    assert!(late.join().unwrap());
    result.set("hello").unwrap();
    log.note("set");
    settle();
    assert_eq!(log.take(), ["set", "0 hello", "1 hello", "3 hello", "4 hello"]);
}

/// eventlet 24; do-not-repeat E7.
#[test]
fn a_result_that_does_not_come_in_time_is_told_from_one_that_is_nothing() {
    let result = AsyncResult::new();
    assert!(result.get_timeout(MS).is_none());
    assert!(!result.wait_timeout(MS));
    result.set(None::<u32>).unwrap();
    assert_eq!(result.get_timeout(MS).unwrap().unwrap(), &None);
}

/// gevent 55.
#[test]
fn the_result_of_a_task_carries_over() {
    greenlet::set_report_hook(|_| ());
    let (good, bad) = (AsyncResult::new(), AsyncResult::<u32>::new());
    good.set_result(spawn(|| 7).join()).unwrap();
    assert_eq!(good.get().unwrap(), &7);
    bad.set_result(spawn(|| panic!("no result")).join()).unwrap();
    assert!(bad.get().unwrap_err().is::<greenlet::TaskError>());
}

/// gevent 35, 37, 39.
#[test]
fn links_run_in_their_order_and_later_than_they_are_made() {
    let (result, log) = (AsyncResult::new(), Log::default());
    let link = |name: &'static str| {
        let log = log.clone();
        result.link(move |result| log.note(format!("{name} {}", result.get().unwrap())))
    };
    let mut links: Vec<_> = ["a", "b", "c"].map(link).into();
    let last = link("d");
    result.link({
        let log = log.clone();
        move |result| {
            log.note("unlinks");
            assert!(!result.unlink(last), "it ran before this");
        }
    });
    assert!(result.unlink(links.remove(1)));
    result.set(1).unwrap();
    assert_eq!(log.take(), [""; 0]);
    settle();
    assert_eq!(log.take(), ["a 1", "c 1", "d 1", "unlinks"]);

    link("after");
    assert_eq!(log.take(), [""; 0]);
    settle();
    assert_eq!(log.take(), ["after 1"]);
}

/// gevent 39.
#[test]
fn a_link_may_unlink_one_that_was_to_run_after_it() {
    let (result, log) = (AsyncResult::new(), Log::default());
    let later = Rc::new(Cell::new(None));
    result.link({
        let (log, later) = (log.clone(), later.clone());
        move |result| {
            log.note("first");
            assert!(result.unlink(later.get().unwrap()));
        }
    });
    later.set(Some(result.link({
        let log = log.clone();
        move |_| log.note("second")
    })));
    result.set(()).unwrap();
    settle();
    assert_eq!(log.take(), ["first"]);
}

/// gevent 38; eventlet 30; do-not-repeat E8.
#[test]
fn a_link_that_panics_or_waits_stops_no_other() {
    greenlet::set_report_hook(|_| ());
    let (result, log) = (AsyncResult::new(), Log::default());
    result.link(|_| panic!("a link"));
    result.link(|_| sleep(FOREVER));
    result.link({
        let log = log.clone();
        move |_| log.note("the last one")
    });
    result.set(()).unwrap();
    settle();
    assert_eq!(log.take(), ["the last one"]);
}

#[test]
fn the_last_handle_takes_a_result_out() {
    let result = AsyncResult::new();
    let other = result.clone();
    let result = result.into_inner().unwrap_err();
    result.set(String::from("mine")).unwrap();
    let result = result.into_inner().unwrap_err();
    drop(other);
    assert_eq!(result.into_inner().unwrap().unwrap(), "mine");
}
