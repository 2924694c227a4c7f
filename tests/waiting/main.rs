//! Every way to wait for something that goes to one waiter, under the same tests.
//!
//! Whatever it is: those who wait get it in the order in which they came, and what somebody was woken
//! for and does not get any more goes to the next one.

#[path = "../common/mod.rs"]
mod common;
mod kinds;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::sync::Event;
use greenlet::{GreenThread, TimeoutError, spawn, with_timeout};

use common::{FOREVER, Log, MS, end, settle, spin};
use kinds::{Kind, kinds};

/// Has a task wait; it notes its number when it has what it waited for, and keeps that until the event
/// is set.
fn waiter(kind: &Kind, number: usize, log: &Log, keep_until: &Rc<Event>) -> GreenThread<()> {
    let (wait, log, keep_until) = (kind.wait.clone(), log.clone(), keep_until.clone());
    spawn(move || {
        let done = wait(None, &|| {
            log.note(number.to_string());
            keep_until.wait();
        });
        assert!(done);
    })
}

/// As many waiters, in line.
fn waiters(kind: &Kind, count: usize, log: &Log, keep_until: &Rc<Event>) -> Vec<GreenThread<()>> {
    let waiters = (0..count).map(|number| waiter(kind, number, log, keep_until)).collect();
    settle();
    assert_eq!(log.take(), [""; 0], "{}: somebody did not wait", kind.name);
    waiters
}

fn transferable_kinds() -> impl Iterator<Item = Kind> {
    kinds().into_iter().filter(|kind| kind.can_be_passed_on)
}

fn set_event() -> Rc<Event> {
    let event = Rc::new(Event::new());
    event.set();
    event
}

/// Gives as often as it takes to serve so many.
fn give_to(kind: &Kind, count: usize) {
    for _ in 0..if kind.goes_on { 1 } else { count } {
        (kind.give)(Box::new(|| ()));
        settle();
    }
}

/// gevent 52, 59, 65; eventlet 54, 60; do-not-repeat E6.
#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    for kind in kinds() {
        let log = Log::default();
        let tasks = waiters(&kind, 5, &log, &set_event());
        give_to(&kind, 5);
        assert_eq!(log.take(), ["0", "1", "2", "3", "4"], "{}", kind.name);
        assert!(tasks.iter().all(|task| task.is_successful()), "{}", kind.name);
    }
}

/// eventlet 28; gevent 59.
#[test]
fn a_waiter_that_is_killed_in_the_middle_of_the_line_is_skipped() {
    for kind in kinds() {
        let log = Log::default();
        let tasks = waiters(&kind, 5, &log, &set_event());
        end(&tasks[2]);
        give_to(&kind, 4);
        assert_eq!(log.take(), ["0", "1", "3", "4"], "{}", kind.name);
    }
}

#[test]
fn a_waiter_whose_timeout_is_over_leaves_the_line() {
    for kind in kinds() {
        let log = Log::default();
        assert!(!(kind.wait)(Some(MS), &|| ()), "{}: the root itself", kind.name);
        let tasks = waiters(&kind, 2, &log, &set_event());
        let late = spawn({
            let wait = kind.wait.clone();
            move || wait(Some(MS), &|| ())
        });
        settle();
        tasks.into_iter().chain([waiter(&kind, 3, &log, &set_event())]).for_each(drop);
        // Where all this takes long, the late one has left already, and nobody would wait for it.
        settle();
        assert!(!late.join().unwrap(), "{}", kind.name);
        give_to(&kind, 3);
        assert_eq!(log.take(), ["0", "1", "3"], "{}", kind.name);
    }
}

/// The one that left may have been the last in line, or in the midst of it.
#[test]
fn who_comes_after_one_whose_timeout_was_over_is_the_last_in_line() {
    for kind in kinds() {
        let log = Log::default();
        let tasks = waiters(&kind, 2, &log, &set_event());
        let late = spawn({
            let wait = kind.wait.clone();
            move || wait(Some(MS), &|| ())
        });
        assert!(!late.join().unwrap(), "{}", kind.name);
        tasks.into_iter().chain([waiter(&kind, 2, &log, &set_event())]).for_each(drop);
        settle();
        give_to(&kind, 3);
        assert_eq!(log.take(), ["0", "1", "2"], "{}", kind.name);
    }
}

#[test]
fn a_wait_within_a_timeout_of_the_caller_ends_with_it_and_leaves_the_line() {
    for kind in kinds() {
        let log = Log::default();
        let result = with_timeout(MS, || (kind.wait)(None, &|| ()));
        assert_eq!(result, Err(TimeoutError::Elapsed), "{}", kind.name);
        drop(waiters(&kind, 2, &log, &set_event()));
        give_to(&kind, 2);
        assert_eq!(log.take(), ["0", "1"], "{}", kind.name);
    }
}

/// gevent 59; eventlet 56, 61.
#[test]
fn what_a_waiter_was_woken_for_goes_to_the_next_one_if_it_is_killed_before_it_runs() {
    for kind in transferable_kinds() {
        let log = Log::default();
        let keep_until = Rc::new(Event::new());
        let mut tasks = waiters(&kind, 3, &log, &keep_until);
        let first = Rc::new(tasks.remove(0));
        (kind.give)(Box::new({
            let first = first.clone();
            move || first.kill().unwrap()
        }));
        settle();
        assert!(first.error().is_some_and(|error| error.is_killed()), "{}", kind.name);
        assert_eq!(log.take()[0], "1", "{}", kind.name);
        keep_until.set();
        if !kind.goes_on {
            give_to(&kind, 1);
        }
        assert!(tasks.iter().all(|task| task.wait(Some(FOREVER))), "{}", kind.name);
        assert!(tasks.iter().all(|task| task.is_successful()), "{}", kind.name);
    }
}

#[test]
fn what_a_waiter_was_woken_for_goes_to_the_next_one_if_it_times_out_before_it_runs() {
    for kind in transferable_kinds() {
        let log = Log::default();
        let first = spawn({
            let wait = kind.wait.clone();
            move || with_timeout(5 * MS, || wait(None, &|| ()))
        });
        settle();
        let next = waiter(&kind, 1, &log, &set_event());
        settle();
        // Woken now, but the time is over when it gets to run.
        (kind.give)(Box::new(|| spin(10 * MS)));
        assert_eq!(first.join().unwrap(), Err(TimeoutError::Elapsed), "{}", kind.name);
        assert!(next.wait(Some(FOREVER)), "{}", kind.name);
        assert_eq!(log.take(), ["1"], "{}", kind.name);
    }
}

/// eventlet 56, 61.
#[test]
fn what_the_only_waiter_was_woken_for_can_be_had_if_it_is_killed_before_it_runs() {
    for kind in transferable_kinds() {
        let first = Rc::new(waiter(&kind, 0, &Log::default(), &set_event()));
        settle();
        assert!(!(kind.can_be_had)(), "{}", kind.name);
        (kind.give)(Box::new({
            let first = first.clone();
            move || first.kill().unwrap()
        }));
        assert!(first.wait(Some(FOREVER)), "{}", kind.name);
        settle();
        assert!((kind.can_be_had)(), "{}", kind.name);
    }
}

/// eventlet 55; do-not-repeat E6.
#[test]
fn nobody_takes_what_a_waiter_was_woken_for() {
    for kind in kinds().into_iter().filter(|kind| kind.is_strict) {
        let log = Log::default();
        drop(waiters(&kind, 1, &log, &set_event()));
        (kind.give)(Box::new({
            let (can_be_had, name) = (kind.can_be_had.clone(), kind.name);
            move || assert!(!can_be_had(), "{name}")
        }));
        settle();
        assert_eq!(log.take(), ["0"], "{}", kind.name);
    }
}

#[test]
fn many_waiters_of_whom_some_are_killed_at_any_moment_lose_no_wake() {
    const COUNT: usize = 200;
    for kind in kinds() {
        let log = Log::default();
        let tasks = Rc::new(waiters(&kind, COUNT, &log, &set_event()));
        // Every third one dies, half of these before anything is given and half after.
        let dying = (0..COUNT).filter(|number| number % 3 == 0);
        let (before, after): (Vec<_>, Vec<_>) = dying.partition(|number| number % 2 == 0);
        for number in &before {
            tasks[*number].kill().unwrap();
        }
        for round in 0..if kind.goes_on { 1 } else { COUNT } {
            let (tasks, after) = (tasks.clone(), after.clone());
            let kill = move || {
                if let Some(number) = after.get(round) {
                    tasks[*number].kill().unwrap();
                }
            };
            (kind.give)(Box::new(kill));
            settle();
        }
        let living = tasks.iter().filter(|task| !task.error().is_some_and(|error| error.is_killed()));
        assert!(living.clone().count() >= COUNT * 2 / 3, "{}", kind.name);
        for task in living {
            assert!(task.wait(Some(FOREVER)) && task.is_successful(), "{}", kind.name);
        }
    }
}

#[test]
fn a_wait_that_can_never_end_is_reported_at_its_place_in_the_users_code() {
    thread_local! {
        static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    std::panic::set_hook(Box::new(|panic| {
        let file = panic.location().map(|location| location.file().to_string());
        PLACE.with(|place| place.replace(file.unwrap_or_default()));
    }));
    for kind in kinds().into_iter().filter(|kind| !kind.is_of_threads) {
        let payload = catch_unwind(AssertUnwindSafe(|| (kind.wait)(None, &|| ()))).unwrap_err();
        let report = payload.downcast_ref::<String>().unwrap();
        assert!(report.starts_with("LoopExit"), "{}: {report}", kind.name);
        let place = PLACE.with(RefCell::take);
        assert!(place.ends_with("kinds.rs"), "{}: {place}", kind.name);
    }
    drop(std::panic::take_hook());
}
