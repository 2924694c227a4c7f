//! Who runs when.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::context::{Context, Key};
use greenlet::sync::Event;
use greenlet::{Greenlet, Timeout, idle, join_all, sleep, sleep_until, spawn, spawn_later, yield_now};

use crate::{FOREVER, MS, log};

/// Lets the time pass, and nobody run.
fn spin(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until {}
}

/// gevent 1. eventlet 37.
#[test]
fn tasks_run_when_the_spawner_waits_and_in_the_order_of_spawning() {
    let (entries, note) = log();
    let tasks: Vec<_> = ["a", "b"]
        .map(|name| {
            let note = note.clone();
            spawn(move || {
                note(&format!("{name}1"));
                yield_now();
                note(&format!("{name}2"));
            })
        })
        .into();
    note("main");
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["main", "a1", "b1", "a2", "b2"]);
}

/// gevent 2.
#[test]
fn a_task_that_a_task_spawns_runs_after_all_that_was_ready_before() {
    let (entries, note) = log();
    let parent = spawn({
        let note = note.clone();
        move || {
            note("parent");
            drop(spawn({
                let note = note.clone();
                move || note("child")
            }));
        }
    });
    let other = spawn({
        let note = note.clone();
        move || note("other")
    });
    yield_now();
    note("main");
    yield_now();
    join_all([parent, other], None);
    assert_eq!(*entries.borrow(), ["parent", "other", "main", "child"]);
}

/// eventlet 37.
#[test]
fn tasks_that_yield_take_strict_turns() {
    let (entries, note) = log();
    let tasks = ["a", "b", "c"].map(|name| {
        let note = note.clone();
        spawn(move || {
            for _ in 0..3 {
                note(name);
                yield_now();
            }
        })
    });
    join_all(&tasks, None);
    assert_eq!(entries.borrow().concat(), "abcabcabc");
}

#[test]
fn a_burst_of_tasks_that_never_wait_ends() {
    let done = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..100_000)
        .map(|_| {
            let done = done.clone();
            spawn(move || done.set(done.get() + 1))
        })
        .collect();
    assert_eq!(join_all(&tasks, None).len(), 100_000);
    assert_eq!(done.get(), 100_000);
}

#[test]
fn detached_tasks_go_on() {
    let event = Rc::new(Event::new());
    drop(spawn({
        let event = event.clone();
        move || {
            sleep(MS);
            event.set();
        }
    }));
    event.wait();
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let (entries, note) = log();
    let start = Instant::now();
    let tasks = [("c", 3), ("a", 1), ("b", 2)].map(|(name, ms)| {
        let note = note.clone();
        spawn(move || {
            sleep_until(start + ms * 50 * MS);
            note(name);
        })
    });
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["a", "b", "c"]);
}

/// gevent 4. eventlet 38. E9.
#[test]
fn sleepers_with_the_same_deadline_wake_in_the_order_of_their_calls() {
    let (entries, note) = log();
    let deadline = Instant::now() + 50 * MS;
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let note = note.clone();
            spawn(move || {
                sleep_until(deadline);
                note(&n.to_string());
            })
        })
        .collect();
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// gevent 5.
#[test]
fn a_spinning_yielder_does_not_starve_timers() {
    let stop = Rc::new(Cell::new(false));
    let spinner = spawn({
        let stop = stop.clone();
        move || {
            while !stop.get() {
                yield_now();
            }
        }
    });
    sleep(2 * MS);
    stop.set(true);
    spinner.join().unwrap();
}

/// gevent 6, where as many as fifty run before anything else is looked at.
#[test]
fn a_timer_that_is_due_fires_when_the_round_is_over() {
    let (log, note) = log();
    let slow = |name: &'static str| {
        let note = note.clone();
        spawn(move || {
            for _ in 0..3 {
                spin(2 * MS);
                note(name);
                yield_now();
            }
        })
    };
    let mut tasks = vec![spawn({
        let note = note.clone();
        move || {
            sleep(MS);
            note("awake");
        }
    })];
    tasks.extend(["a", "b", "c"].map(slow));
    join_all(&tasks, None);
    // It is due during the first round, and is one of the second.
    assert_eq!(*log.borrow(), ["a", "b", "c", "a", "b", "c", "awake", "a", "b", "c"]);
}

/// gevent 7.
#[test]
fn work_before_a_sleep_does_not_make_it_shorter() {
    spin(10 * MS);
    let start = Instant::now();
    sleep(5 * MS);
    assert!(start.elapsed() >= 5 * MS);
}

/// gevent 3.
#[test]
fn spawn_later_runs_after_what_is_ready_now() {
    let (entries, note) = log();
    let later = spawn_later(Duration::ZERO, {
        let note = note.clone();
        move || note("later")
    });
    let now = spawn({
        let note = note.clone();
        move || note("now")
    });
    later.join().unwrap();
    now.join().unwrap();
    assert_eq!(*entries.borrow(), ["now", "later"]);
}

#[test]
fn a_builder_names_what_starts_later() {
    let task = Greenlet::builder().name("late").spawn_later(MS, || Greenlet::<()>::current().name());
    assert_eq!(task.name(), Some("late"));
    assert_eq!(task.join().unwrap().as_deref(), Some("late"));
}

#[test]
fn a_task_starts_with_the_context_of_its_spawner_as_it_was_then() {
    static REQUEST: Key<u32> = Key::new();
    REQUEST.set(7);
    let seen = spawn(|| REQUEST.get());
    REQUEST.set(8);
    assert_eq!(seen.join().unwrap(), Some(7));
}

#[test]
fn a_task_that_is_given_a_context_starts_with_it_and_not_with_that_of_its_spawner() {
    static REQUEST: Key<u32> = Key::new();
    REQUEST.set(7);
    let seven = Context::current();
    REQUEST.set(8);
    let seen = Greenlet::builder().context(seven).spawn(|| REQUEST.get());
    assert_eq!(seen.join().unwrap(), Some(7));
}

/// gevent 8. G2.
#[test]
fn idlers_go_on_in_their_order_and_only_when_nobody_else_is_ready() {
    let (entries, note) = log();
    let idlers = ["first", "second"].map(|name| {
        let note = note.clone();
        spawn(move || {
            idle();
            note(name);
            yield_now();
            note("and work");
        })
    });
    let worker = spawn({
        let note = note.clone();
        move || {
            for _ in 0..3 {
                note("work");
                yield_now();
            }
        }
    });
    join_all(&idlers, None);
    worker.join().unwrap();
    assert_eq!(*entries.borrow(), ["work", "work", "work", "first", "and work", "second", "and work"]);
}

#[test]
fn an_idler_comes_before_the_wait_for_a_timer() {
    let sleeper = spawn(|| sleep(FOREVER));
    yield_now();
    idle();
    assert!(!sleeper.is_finished());
    sleeper.kill().unwrap();
    assert!(sleeper.wait(None));
}

#[test]
fn an_idler_comes_after_a_timer_that_is_due() {
    let sleeper = spawn(|| sleep(MS));
    yield_now();
    spin(2 * MS);
    idle();
    assert!(sleeper.is_finished());
}

/// eventlet 40. E11.
#[test]
fn a_stray_switch_into_a_sleeper_is_refused_and_does_not_wake_it() {
    let handle: Rc<Cell<Option<Greenlet>>> = Rc::default();
    let start = Instant::now();
    let sleeper = spawn({
        let handle = handle.clone();
        move || {
            handle.set(Some(Greenlet::current()));
            sleep(5 * MS);
            start.elapsed()
        }
    });
    yield_now();
    let refused = handle.take().unwrap().try_switch(()).unwrap_err();
    assert!(refused.refusal().is_some(), "{refused}");
    assert!(sleeper.join().unwrap() >= 5 * MS);
}

/// eventlet 41. E10.
#[test]
fn a_greenlet_that_waits_in_the_hub_keeps_its_parent() {
    let main = Greenlet::<u32>::current();
    let child = Greenlet::<u32>::new(|n| {
        sleep(MS);
        n + 1
    });
    assert_eq!(child.switch(1), 2, "what it leaves comes to whoever had switched into it");
    assert_eq!(child.parent(), Some(main));
}

/// eventlet 42, where nothing waits for them: a task that a program ends before is not run, but its
/// destructors are.
#[test]
fn a_task_that_never_ran_is_dropped_when_its_thread_ends() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || drop(spawn(move || sender.send(()).unwrap()))).join().unwrap();
    assert!(receiver.recv().is_err(), "it was dropped, and not run");
}

/// eventlet 48, the part that is about yields.
#[test]
fn a_yield_is_a_wait() {
    let timeout = Timeout::new(Duration::ZERO);
    assert!(
        timeout
            .scope(|| loop {
                yield_now()
            } as ())
            .is_err()
    );
}

#[test]
fn who_is_thrown_into_while_it_is_ready_loses_its_turn() {
    let (entries, note) = log();
    let handle: Rc<Cell<Option<Greenlet>>> = Rc::default();
    let main = Greenlet::<()>::current();
    drop(spawn({
        let (handle, note) = (handle.clone(), note.clone());
        move || {
            handle.set(Some(Greenlet::current()));
            catch_unwind(yield_now).unwrap_err();
            note("thrown into");
            main.switch(());
            note("run by the hub");
        }
    }));
    yield_now();
    handle.take().unwrap().throw("out of turn");
    spawn(move || note("the next one")).join().unwrap();
    assert_eq!(*entries.borrow(), ["thrown into", "the next one"]);
}
