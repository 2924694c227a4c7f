//! When nothing is left that could wake anybody, and greenlets beside the tasks.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::sync::Event;
use greenlet::{Greenlet, hub, sleep, spawn, yield_now};

use crate::{FOREVER, MS, reports};

/// gevent 12, the part that returns.
#[test]
fn joining_the_hub_lets_all_others_come_to_their_end() {
    assert!(hub::join(None), "there is nobody");
    let done = Rc::new(Cell::new(0));
    for ms in 0..3 {
        let done = done.clone();
        drop(spawn(move || {
            sleep(ms * MS);
            done.set(done.get() + 1);
        }));
    }
    assert!(hub::join(Some(FOREVER)), "the time that it may take keeps nobody waiting");
    assert_eq!(done.get(), 3);
    assert!(hub::join(None), "it can be done again");
}

/// gevent 12, the part that gives up.
#[test]
fn joining_the_hub_ends_when_its_time_is_over() {
    let task = spawn(|| sleep(FOREVER));
    assert!(!hub::join(Some(2 * MS)));
    assert!(!task.is_finished());
    task.kill().unwrap();
    assert!(hub::join(None));
    let stuck = spawn(|| Event::new().wait());
    assert!(hub::join(None), "what waits for ever is not waited for");
    assert!(!stuck.is_finished());
    // And those who wait for something else are still told.
    catch_unwind(AssertUnwindSafe(|| stuck.wait(None))).unwrap_err();
}

/// gevent 14.
#[test]
fn only_the_root_joins_the_hub() {
    reports();
    let task = spawn(|| hub::join(None));
    assert!(task.join().unwrap_err().message().unwrap().starts_with("only the root"));
}

/// gevent 10, 11. eventlet 43. E21.
#[test]
fn waiting_for_ever_raises_loop_exit_in_the_root_with_the_list_of_who_waits() {
    let event = Rc::new(Event::new());
    let stuck = Greenlet::builder().name("stuck").spawn({
        let event = event.clone();
        move || event.wait()
    });
    let payload = catch_unwind(AssertUnwindSafe(|| stuck.wait(None))).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.starts_with("LoopExit"), "{report}");
    assert!(report.contains("\"stuck\": an event"), "{report}");
    assert!(report.contains("greenlet 0: the end of a task"), "{report}");
    event.set();
    assert!(stuck.wait(None), "it was parked, not lost");
}

#[test]
fn a_greenlet_switched_to_by_hand_may_wait_in_the_hub() {
    let task = spawn(|| sleep(2 * MS));
    let g = Greenlet::<u32>::new(move |n| {
        task.join().unwrap();
        n + 1
    });
    assert_eq!(g.switch(1), 2);
}

#[test]
fn a_loop_exit_that_a_hand_switched_greenlet_survives_loses_no_wake() {
    let event = Rc::new(Event::new());
    let done = Rc::new(Cell::new(false));
    let g = Greenlet::<()>::new({
        let (event, done) = (event.clone(), done.clone());
        move |()| {
            event.wait();
            done.set(true);
        }
    });
    let raised = g.try_switch(()).unwrap_err();
    assert!(raised.message().unwrap().starts_with("LoopExit"));
    event.set();
    yield_now();
    assert!(done.get());
}

#[test]
fn a_greenlet_that_parked_after_a_loop_exit_can_be_killed() {
    let g = Greenlet::<()>::new(|()| Event::new().wait());
    g.try_switch(()).unwrap_err();
    g.kill().unwrap();
    assert!(g.is_dead());
}

#[test]
fn a_child_that_ends_while_its_parent_is_parked_does_not_disturb_the_parent() {
    reports();
    let task = spawn(|| {
        let child = Greenlet::<u32>::new(|n| {
            sleep(2 * MS);
            n
        });
        let starter = {
            let child = child.clone();
            spawn(move || drop(child.try_switch(1)))
        };
        yield_now();
        sleep(10 * MS);
        starter.kill().unwrap();
        child.is_dead()
    });
    assert!(task.join().unwrap());
}
