//! What is called when a task ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::sync::Event;
use greenlet::{GreenThread, LinkId, Task, join_all, sleep, spawn, yield_now};

use crate::{FOREVER, MS, log, reports};

/// gevent 35. eventlet 29.
#[test]
fn links_are_called_in_the_order_of_registration() {
    let (entries, note) = log();
    let task = spawn(|| 1);
    for n in 0..1000 {
        let note = note.clone();
        task.link(move |task| {
            assert!(task.is_finished());
            note(&n.to_string());
        });
    }
    task.join().unwrap();
    assert_eq!(*entries.borrow(), (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// gevent 35; a kill is an error here, because there is no value to show.
#[test]
fn links_are_told_apart_by_the_outcome() {
    reports();
    let (entries, note) = log();
    let link = |task: greenlet::GreenThread<u32>| {
        let (all, value, error) = (note.clone(), note.clone(), note.clone());
        task.link_value(move |n| value(&format!("value {n}")));
        task.link_error(move |e| error(&e.to_string()));
        task.link(move |task| all(&format!("successful {}", task.is_successful())));
        drop(task.join());
    };
    link(spawn(|| 7));
    link(spawn(|| panic!("no")));
    let killed = spawn(|| 7);
    killed.kill().unwrap();
    link(killed);
    let expected = [
        "value 7",
        "successful true",
        "the task panicked: no",
        "successful false",
        "the task was killed",
        "successful true",
    ];
    assert_eq!(*entries.borrow(), expected);
}

/// gevent 36.
#[test]
fn links_are_called_before_those_who_wait_go_on() {
    let (entries, note) = log();
    let gate = Rc::new(Event::new());
    let task = spawn({
        let gate = gate.clone();
        move || gate.wait()
    });
    for name in ["first", "second"] {
        let note = note.clone();
        task.link(move |_| note(name));
    }
    let waiter = spawn({
        let (task, note) = (task.clone(), note.clone());
        move || {
            task.wait(None);
            note("waiter");
        }
    });
    yield_now();
    gate.set();
    waiter.join().unwrap();
    assert_eq!(*entries.borrow(), ["first", "second", "waiter"]);
}

/// gevent 37.
#[test]
fn a_link_to_what_has_ended_is_called_soon_and_not_at_once() {
    let task = spawn(|| 5);
    assert!(task.wait(None));
    let seen = Rc::new(Cell::new(0));
    task.link_value({
        let seen = seen.clone();
        move |n| seen.set(*n)
    });
    assert_eq!(seen.get(), 0);
    yield_now();
    assert_eq!(seen.get(), 5);
}

/// gevent 38, 93. eventlet 30. E8.
#[test]
fn a_link_that_panics_is_reported_and_stops_no_other() {
    reports();
    let (entries, note) = log();
    let task = spawn(|| 1);
    task.link(|_| panic!("bad link"));
    task.link(move |_| note("good link"));
    assert_eq!(task.join().unwrap(), 1);
    assert_eq!(*entries.borrow(), ["good link"]);
    let reports = reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].1.contains("bad link"), "{reports:?}");
}

/// gevent 39. eventlet 29.
#[test]
fn a_link_that_was_taken_back_is_not_called() {
    let (entries, note) = log();
    let later: Rc<Cell<Option<LinkId>>> = Rc::default();
    let task = spawn(|| ());
    task.link({
        let later = later.clone();
        move |task| assert!(task.unlink(later.take().unwrap()))
    });
    later.set(Some(task.link({
        let note = note.clone();
        move |_| note("never")
    })));
    let other = task.link({
        let note = note.clone();
        move |_| note("neither")
    });
    assert!(task.unlink(other));
    assert!(!task.unlink(other));
    let called = task.link(move |_| note("called"));
    let watcher = task.clone();
    task.join().unwrap();
    assert_eq!(*entries.borrow(), ["called"]);
    assert!(!watcher.unlink(called), "it is too late for that");
}

#[test]
fn a_link_may_wait_and_holds_up_no_other() {
    let (entries, note) = log();
    let gate = Rc::new(Event::new());
    let task = spawn(|| ());
    task.link({
        let (gate, note) = (gate.clone(), note.clone());
        move |_| {
            gate.wait();
            note("slow");
        }
    });
    task.link({
        let (gate, note) = (gate.clone(), note.clone());
        move |_| {
            note("quick");
            gate.set();
        }
    });
    task.join().unwrap();
    assert_eq!(*entries.borrow(), ["quick", "slow"], "and the value is taken after both");
}

#[test]
fn a_value_is_not_taken_while_a_link_looks_at_it() {
    let gate = Rc::new(Event::new());
    let task = spawn(|| vec![1, 2, 3]);
    let sum = Rc::new(Cell::new(0));
    task.link_value({
        let (gate, sum) = (gate.clone(), sum.clone());
        move |value: &Vec<i32>| {
            gate.wait();
            sum.set(value.iter().sum());
        }
    });
    let taker = spawn(move || task.join().unwrap());
    (0..3).for_each(|_| yield_now());
    assert!(!taker.is_finished());
    gate.set();
    assert_eq!(taker.join().unwrap(), [1, 2, 3]);
    assert_eq!(sum.get(), 6);
}

#[test]
fn a_taker_goes_on_when_the_last_link_is_taken_back() {
    let task = spawn(|| 1);
    assert!(task.wait(None));
    let watcher = task.clone();
    let link = task.link(|_| unreachable!("taken back before its turn"));
    let unlinker = spawn(move || assert!(watcher.unlink(link)));
    // The link's task was spawned first, but this takes it back before that runs.
    let watcher = task.clone();
    assert!(watcher.unlink(link));
    assert_eq!(task.join().unwrap(), 1);
    assert!(unlinker.join().unwrap_err().message().is_some(), "which found nothing to take back");
}

/// gevent 22.
#[test]
fn links_of_a_killed_task_are_called_whether_it_ran_or_not() {
    let (entries, note) = log();
    let tasks = [spawn(|| sleep(FOREVER)), spawn(|| sleep(FOREVER))];
    yield_now();
    let unstarted = spawn(|| sleep(FOREVER));
    for (task, name) in tasks.iter().chain([&unstarted]).zip(["a", "b", "c"]) {
        let note = note.clone();
        task.link_error(move |error| note(&format!("{name} {}", error.is_killed())));
        task.kill().unwrap();
    }
    let all = tasks.into_iter().chain([unstarted]).collect::<Vec<_>>();
    join_all(&all, None);
    for task in all {
        task.join().unwrap_err();
    }
    assert_eq!(*entries.borrow(), ["c true", "a true", "b true"]);
}

#[test]
fn what_a_link_owns_is_dropped_if_it_is_never_called() {
    let owned = Rc::new(());
    let task = spawn(|| ());
    let link = task.link({
        let owned = owned.clone();
        move |_| drop(owned)
    });
    assert!(task.unlink(link));
    assert_eq!(Rc::strong_count(&owned), 1);
    task.join().unwrap();
}

#[test]
fn links_are_dropped_uncalled_when_the_thread_ends() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let task = spawn(|| sleep(FOREVER));
        task.link(move |_| sender.send(()).unwrap());
        yield_now();
        drop(task);
    })
    .join()
    .unwrap();
    assert!(receiver.recv().is_err());
}

#[test]
fn a_link_may_link_spawn_and_kill() {
    let (entries, note) = log();
    let entries_of = entries.clone();
    let victim = spawn(|| sleep(FOREVER));
    yield_now();
    let task = spawn(|| ());
    task.link({
        let (victim, note) = (victim.clone(), note.clone());
        move |task| {
            let inner = note.clone();
            task.link(move |_| inner("linked"));
            drop(spawn(move || note("spawned")));
            victim.kill().unwrap();
        }
    });
    task.join().unwrap();
    assert!(victim.join().unwrap_err().is_killed());
    sleep(MS);
    let mut entries: Vec<_> = entries_of.take();
    entries.sort();
    assert_eq!(entries, ["linked", "spawned"]);
}

/// What gevent's `link(event.set)` is used for.
#[test]
fn a_link_sets_an_event() {
    let (event, seen) = (Rc::new(Event::new()), Rc::new(RefCell::new(Vec::new())));
    let task = spawn(|| 3);
    task.link({
        let event = event.clone();
        move |_| event.set()
    });
    task.link_value({
        let seen = seen.clone();
        move |n| seen.borrow_mut().push(*n)
    });
    event.wait();
    task.join().unwrap();
    assert_eq!(*seen.borrow(), [3]);
}

#[test]
fn who_joins_for_a_time_does_not_wait_for_the_links_any_longer() {
    let task = spawn(|| 1);
    task.link(|_| sleep(FOREVER));
    let task = task.join_timeout(5 * MS).unwrap_err();
    assert_eq!(task.value(), Some(&1));
}

#[test]
fn a_link_that_takes_the_result_of_its_own_task_is_told_that_it_cannot() {
    reports();
    let slot = Rc::new(RefCell::new(None));
    let task = spawn(|| 1);
    let handle = Task::clone(&task);
    handle.link({
        let slot = slot.clone();
        move |_| {
            let task: GreenThread<i32> = slot.take().unwrap();
            drop(task.join());
        }
    });
    slot.replace(Some(task));
    assert!(handle.wait(None));
    (0..10).for_each(|_| yield_now());
    let told = reports();
    let is_it = |(_, text): &(_, String)| text.contains("a link cannot take the result of its own task");
    assert!(told.iter().any(is_it), "{told:?}");
}

#[test]
fn a_link_that_was_killed_is_killed_where_it_would_wait_for_itself() {
    let (slot, linker) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
    let task = spawn(|| 1);
    let handle = Task::clone(&task);
    handle.link({
        let (slot, linker) = (slot.clone(), linker.clone());
        move |_| {
            let myself = Task::current().unwrap();
            linker.replace(Some(myself.clone()));
            myself.kill().unwrap();
            let task: GreenThread<i32> = slot.take().unwrap();
            drop(task.join());
        }
    });
    slot.replace(Some(task));
    assert!(handle.wait(None));
    (0..10).for_each(|_| yield_now());
    assert!(linker.take().unwrap().is_successful());
}
