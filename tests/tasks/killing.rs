//! Ending tasks from outside.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use greenlet::hub::Parker;
use greenlet::pool::{Group, Pile, Pool, ThreadPool};
use greenlet::queue::Queue;
use greenlet::sync::{Event, Semaphore};
use greenlet::{
    GreenThread, GreenletExit, ReportKind, Task, Timeout, idle, iwait, join_all, kill_all, sleep, spawn,
    spawn_later, wait, with_timeout, yield_now,
};

use crate::{FOREVER, MS, Note, OnDrop, log, reports};

/// gevent 22, 23, 26. eventlet 35.
#[test]
fn a_task_killed_before_it_runs_never_runs() {
    let ran = Rc::new(Cell::new(false));
    for delay in [None, Some(FOREVER)] {
        let body = {
            let ran = ran.clone();
            move || ran.set(true)
        };
        let task = match delay {
            None => spawn(body),
            Some(delay) => spawn_later(delay, body),
        };
        assert_eq!(Rc::strong_count(&ran), 2);
        task.kill().unwrap();
        assert!(task.is_finished(), "at once");
        assert_eq!(Rc::strong_count(&ran), 1, "its body is dropped at once");
        task.kill().unwrap();
        assert!(task.is_successful() && !task.is_started());
        assert!(task.join().unwrap_err().is_killed());
    }
    yield_now();
    assert!(!ran.get());
}

/// A kill before the start leaves no timer that a hub would wait for.
#[test]
fn a_task_killed_before_its_time_has_come_keeps_no_hub_waiting() {
    let task = spawn_later(FOREVER, || ());
    task.kill().unwrap();
    assert!(greenlet::hub::join(None));
}

#[test]
fn whoever_waits_for_an_unstarted_task_is_woken_by_its_kill() {
    let task = spawn_later(FOREVER, || ());
    let waiter = spawn({
        let task = task.clone();
        move || task.wait(None)
    });
    yield_now();
    task.kill().unwrap();
    assert!(waiter.join().unwrap());
}

#[test]
fn a_body_that_is_dropped_unrun_may_do_anything() {
    struct Busy<F: Fn(&str)>(F, Rc<RefCell<Option<Task>>>);
    impl<F: Fn(&str)> Drop for Busy<F> {
        fn drop(&mut self) {
            let own = self.1.borrow().clone().unwrap();
            assert!(own.is_finished());
            own.kill().unwrap();
            drop(spawn(|| ()));
            yield_now();
            (self.0)("waited");
            panic!("and panicked");
        }
    }
    reports();
    for delay in [None, Some(FOREVER)] {
        let (entries, note) = log();
        let own = Rc::new(RefCell::new(None));
        let busy = Busy(note, own.clone());
        let body = move || drop(busy);
        let task = match delay {
            None => spawn(body),
            Some(delay) => spawn_later(delay, body),
        };
        *own.borrow_mut() = Some(task.clone());
        task.kill().unwrap();
        assert_eq!(*entries.borrow(), ["waited"]);
        own.take();
        yield_now();
        assert!(task.join().unwrap_err().is_killed());
        let reports = reports();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].0, ReportKind::PanickedWhileDropped);
    }
}

/// eventlet 31.
#[test]
fn cancel_ends_only_what_has_not_begun() {
    let unstarted = spawn(|| unreachable!());
    assert!(unstarted.cancel());
    assert!(!unstarted.cancel());
    assert!(unstarted.join().unwrap_err().is_killed());
    let started = spawn(|| {
        yield_now();
        1
    });
    yield_now();
    assert!(!started.cancel());
    assert_eq!(started.join().unwrap(), 1);
}

#[test]
fn a_task_killed_while_it_waits_runs_its_destructors() {
    let (entries, note) = log();
    let task = spawn(move || {
        let _note = Note(note, "dropped");
        sleep(FOREVER);
    });
    yield_now();
    task.kill().unwrap();
    task.kill().unwrap();
    assert!(task.wait(None));
    assert!(task.error().unwrap().is_killed());
    assert!(task.is_successful());
    assert_eq!(*entries.borrow(), ["dropped"]);
}

/// Each is a wait of its own, and none of them loses anything when it is cut short.
#[test]
fn a_task_can_be_killed_at_every_wait() {
    type Wait = Box<dyn FnOnce()>;
    let held = Rc::new(Semaphore::new(0));
    let event = Rc::new(Event::new());
    let (full, empty) = (Rc::new(Queue::bounded(1)), Rc::new(Queue::<u32>::unbounded()));
    full.put(0).unwrap();
    let parker = Rc::new(Parker::new());
    let pool = Pool::new(0);
    let busy = Pool::new(1);
    let blocker = Rc::new(busy.spawn(|| sleep(FOREVER)));
    let group = Group::new();
    drop(group.spawn(|| sleep(FOREVER)));
    let threads = ThreadPool::new(1);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let waits: Vec<(&str, Wait)> = vec![
        ("sleep", Box::new(|| sleep(FOREVER))),
        ("an endless sleep", Box::new(|| sleep(std::time::Duration::MAX))),
        ("yield", Box::new(|| yield_now())),
        ("idle", Box::new(idle)),
        ("event", {
            let event = event.clone();
            Box::new(move || event.wait())
        }),
        ("event, with a timeout", {
            let event = event.clone();
            Box::new(move || _ = event.wait_timeout(FOREVER))
        }),
        ("semaphore", {
            let held = held.clone();
            Box::new(move || held.acquire().forget())
        }),
        ("queue, empty", {
            let empty = empty.clone();
            Box::new(move || _ = empty.get())
        }),
        ("queue, full", {
            let full = full.clone();
            Box::new(move || full.put(1).unwrap())
        }),
        ("parker", {
            let parker = parker.clone();
            Box::new(move || parker.park())
        }),
        ("the end of a task", {
            let blocker = blocker.clone();
            Box::new(move || _ = blocker.wait(None))
        }),
        ("the value of a task", Box::new(|| drop(spawn(|| sleep(FOREVER)).join()))),
        ("many tasks", {
            let blocker = blocker.clone();
            Box::new(move || drop(join_all([&*blocker, &*blocker], None)))
        }),
        ("the first of many tasks", {
            let blocker = blocker.clone();
            Box::new(move || drop(wait([&*blocker], Some(FOREVER), Some(1))))
        }),
        ("iwait", {
            let blocker = blocker.clone();
            Box::new(move || _ = iwait([&*blocker]).next())
        }),
        ("a pool of size 0", {
            let pool = pool.clone();
            Box::new(move || drop(pool.spawn(|| ())))
        }),
        ("a full pool", {
            let busy = busy.clone();
            Box::new(move || drop(busy.spawn(|| ())))
        }),
        ("a full pool, with a timeout", {
            let busy = busy.clone();
            Box::new(move || drop(busy.spawn_timeout(FOREVER, || ())))
        }),
        ("the end of a pool", {
            let busy = busy.clone();
            Box::new(move || _ = busy.join(None))
        }),
        ("the end of a group", {
            let group = group.clone();
            Box::new(move || _ = group.join(Some(FOREVER)))
        }),
        ("map", Box::new(|| drop(Pool::new(2).map([1, 2, 3], |_| sleep(FOREVER))))),
        ("imap", Box::new(|| drop(Group::new().imap([1, 2, 3], |_| sleep(FOREVER)).next()))),
        (
            "imap_unordered",
            Box::new(|| drop(Pool::new(2).imap_unordered([1, 2, 3], |_| sleep(FOREVER)).next())),
        ),
        (
            "pile",
            Box::new(|| {
                let pile = Pile::of_size(1);
                pile.spawn(|| sleep(FOREVER));
                drop(pile.next());
            }),
        ),
        ("a thread", {
            let threads = threads.clone();
            Box::new(move || threads.run(move || _ = released.recv()).unwrap())
        }),
        ("a timeout's scope", Box::new(|| _ = with_timeout(FOREVER, || sleep(FOREVER)))),
        ("a scope of tasks", Box::new(|| Group::scope(|group| drop(group.spawn(|| sleep(FOREVER)))))),
    ];
    for (name, wait) in waits {
        let (entries, note) = log();
        let task = spawn(move || {
            let _note = Note(note, "unwound");
            wait();
        });
        // Into its wait, and out of it.
        if name == "yield" || name == "idle" {
            yield_now();
        } else {
            (0..4).for_each(|_| yield_now());
        }
        assert!(task.is_started() && !task.is_finished(), "{name}");
        task.kill().unwrap();
        assert!(task.wait(Some(FOREVER)), "{name}");
        assert!(task.error().is_some_and(|error| error.is_killed()), "{name}: {task:?}");
        assert_eq!(*entries.borrow(), ["unwound"], "{name}");
    }
    assert_eq!((pool.waiting(), busy.waiting(), busy.len()), (0, 0, 1));
    assert_eq!(held.available(), 0);
    assert_eq!((full.get(), full.len()), (Ok(0), 0));
    release.send(()).unwrap();
    blocker.kill().unwrap();
    group.kill();
    assert!(blocker.wait(None) && group.join(None) && busy.join(None));
}

/// gevent 24. eventlet 32, 33.
#[test]
fn a_blocking_kill_waits_for_the_real_end_of_a_task_that_works_on() {
    let (entries, note) = log();
    let task = spawn({
        let note = note.clone();
        move || {
            let exit = catch_unwind(|| sleep(FOREVER)).unwrap_err();
            assert!(exit.is::<GreenletExit>());
            note("caught");
            yield_now();
            note("cleaned up");
            "survived"
        }
    });
    yield_now();
    assert!(task.kill_and_wait(None).unwrap());
    note("killed");
    assert_eq!(task.join().unwrap(), "survived");
    assert_eq!(*entries.borrow(), ["caught", "cleaned up", "killed"]);
}

/// gevent 25.
#[test]
fn a_kill_with_a_timeout_says_whether_it_was_in_time() {
    let stubborn = spawn(|| {
        let _ = catch_unwind(|| sleep(FOREVER));
        sleep(FOREVER);
    });
    yield_now();
    assert!(!stubborn.kill_and_wait(Some(5 * MS)).unwrap());
    assert!(stubborn.kill_and_wait(None).unwrap(), "a second kill is a kill");
    assert!(stubborn.kill_and_wait(None).unwrap(), "and of the dead it is nothing");
}

/// gevent 27. eventlet 34.
#[test]
fn a_task_that_kills_itself_goes_on_to_its_next_wait_or_not_at_all() {
    let (entries, note) = log();
    let later = spawn({
        let note = note.clone();
        move || {
            Task::current().unwrap().kill().unwrap();
            note("still here");
            yield_now();
            note("never");
        }
    });
    let at_once = spawn({
        let note = note.clone();
        move || {
            let _note = Note(note.clone(), "unwound");
            Task::current().unwrap().kill_and_wait(None).unwrap();
            note("never");
        }
    });
    assert!(later.join().unwrap_err().is_killed());
    assert!(at_once.join().unwrap_err().is_killed());
    assert_eq!(*entries.borrow(), ["still here", "unwound"]);
}

/// gevent 28.
#[test]
fn a_kill_with_an_error_is_a_failure_and_reported_once() {
    #[derive(Debug, PartialEq)]
    struct Evicted(u32);
    reports();
    let unstarted = spawn(|| ());
    let running = spawn(|| sleep(FOREVER));
    let named = greenlet::Greenlet::builder().name("tenant").spawn(|| sleep(FOREVER));
    unstarted.kill_with(Evicted(1)).unwrap();
    yield_now();
    running.kill_with(Evicted(2)).unwrap();
    named.kill_with("named").unwrap();
    for (task, n) in [(unstarted, 1), (running, 2)] {
        assert!(task.wait(None));
        assert!(!task.is_successful());
        let error = task.join().unwrap_err();
        assert!(!error.is_killed());
        assert_eq!(error.downcast_ref(), Some(&Evicted(n)));
    }
    assert_eq!(named.join().unwrap_err().message(), Some("named"));
    let reports = reports();
    assert_eq!(reports.len(), 3, "{reports:?}");
    assert!(reports.iter().all(|(kind, _)| *kind == ReportKind::TaskFailed));
    assert!(reports[2].1.ends_with("\"tenant\" failed: the task panicked: named"), "{reports:?}");
}

/// gevent 29, 95.
#[test]
fn a_body_that_unwinds_with_the_exit_is_killed_and_nobody_is_told() {
    reports();
    let task = spawn(|| std::panic::resume_unwind(Box::new(GreenletExit)));
    let error = task.join().unwrap_err();
    assert!(error.is_killed());
    assert!(reports().is_empty());
}

/// gevent 30: the second one finds the task with the first still to come.
#[test]
fn a_task_killed_twice_before_it_reacts_is_killed_once() {
    let task = spawn(|| {
        let exits = (0..2).filter(|_| catch_unwind(yield_now).is_err()).count();
        assert_eq!(exits, 1);
    });
    yield_now();
    task.kill().unwrap();
    task.kill_with("another").unwrap();
    task.kill().unwrap();
    task.join().unwrap();
}

#[test]
fn kill_all_reaches_unstarted_running_and_ended_tasks() {
    let (entries, note) = log();
    let body = |name: &'static str| {
        let note = note.clone();
        move || {
            let _note = Note(note, name);
            sleep(FOREVER);
        }
    };
    let ended = spawn(|| ());
    let running = [spawn(body("a")), spawn(body("b"))];
    yield_now();
    let unstarted = [spawn(body("never")), spawn_later(FOREVER, body("never"))];
    let all: Vec<Task> = [&ended, &running[0], &unstarted[0], &running[1], &unstarted[1]]
        .map(|task: &GreenThread<()>| (**task).clone())
        .into();
    kill_all(&all).unwrap();
    assert_eq!(join_all(&all, None).len(), 5);
    assert_eq!(*entries.borrow(), ["a", "b"]);
    ended.join().unwrap();
}

#[test]
fn kill_all_may_include_the_caller_which_goes_on_to_its_next_wait() {
    let others: Vec<_> = (0..3).map(|_| spawn(|| sleep(FOREVER))).collect();
    yield_now();
    let mut all: Vec<Task> = others.iter().map(|task| (**task).clone()).collect();
    let killer = spawn(move || {
        all.push(Task::current().unwrap());
        kill_all(&all).unwrap();
        join_all(&all[..3], None);
        unreachable!("it unwinds here");
    });
    assert!(killer.join().unwrap_err().is_killed());
    assert_eq!(join_all(&others, None).len(), 3);
}

/// It stays in the run queue until then, and nothing of it stays longer.
#[test]
fn a_task_killed_in_the_run_queue_is_gone_when_its_turn_has_come() {
    reports();
    let error = Arc::new(());
    let task = spawn(|| ());
    task.kill_with(error.clone()).unwrap();
    drop(task);
    yield_now();
    assert_eq!(Arc::strong_count(&error), 1);
}

#[test]
fn a_hundred_thousand_unstarted_tasks_are_killed_without_a_stack() {
    let tasks: Vec<_> = (0..100_000).map(|n| spawn(move || n)).collect();
    kill_all(&tasks).unwrap();
    assert!(tasks.iter().all(|task| task.is_finished()));
    assert_eq!(spawn(|| 1).join().unwrap(), 1, "and are out of the way");
}

/// gevent 34, with a group in place of the greenlet.
#[test]
fn a_scope_joins_its_tasks_if_it_returns_and_kills_them_if_it_unwinds() {
    let (entries, note) = log();
    Group::scope(|group| {
        let note = note.clone();
        drop(group.spawn(move || {
            yield_now();
            note("joined");
        }));
    });
    note("after");
    let payload = catch_unwind(AssertUnwindSafe(|| {
        Group::scope(|group| {
            let note = note.clone();
            drop(group.spawn(move || {
                let _note = Note(note, "unwound");
                sleep(FOREVER);
            }));
            yield_now();
            panic!("out of here");
        })
    }));
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&"out of here"));
    yield_now();
    assert_eq!(*entries.borrow(), ["joined", "after", "unwound"]);
}

/// A kill comes while a timeout is about to be raised: both are, in their order.
#[test]
fn a_kill_and_a_timeout_at_once_are_both_delivered() {
    let task = spawn(|| {
        let result = with_timeout(Duration::ZERO, || sleep(FOREVER));
        assert!(result.is_err(), "the timeout came first");
        sleep(FOREVER);
    });
    let killer = spawn({
        let task = task.clone();
        move || {
            sleep(2 * MS);
            task.kill().unwrap();
        }
    });
    killer.join().unwrap();
    assert!(task.join().unwrap_err().is_killed());
}

/// A timeout that another greenlet cancels after it has fired cannot put back to sleep what it woke,
/// so it does not try: a wait ends because of what it waits for, or by unwinding.
#[test]
fn a_timeout_that_has_fired_cannot_be_taken_back_by_another_greenlet() {
    let timeout = Rc::new(Timeout::new(Duration::ZERO));
    let sleeper = spawn({
        let timeout = timeout.clone();
        move || timeout.scope(|| Event::new().wait())
    });
    yield_now();
    drop(spawn({
        let timeout = timeout.clone();
        move || {
            while timeout.is_pending() {
                yield_now();
            }
            timeout.cancel();
        }
    }));
    sleeper.join().unwrap().unwrap_err();
}

#[test]
fn a_payload_that_another_kill_replaces_may_wait_as_it_is_dropped() {
    let slept = Rc::new(Cell::new(false));
    let task = spawn({
        let slept = slept.clone();
        move || {
            sleep(FOREVER);
            slept.set(true);
        }
    });
    yield_now();
    task.kill_with(OnDrop(yield_now)).unwrap();
    task.kill().unwrap();
    assert!(task.is_finished(), "it had a turn, with the second kill due");
    assert!(!slept.get());
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn a_kill_is_not_lost_where_the_payload_that_it_replaces_panics() {
    let task = spawn(|| sleep(FOREVER));
    yield_now();
    task.kill_with(OnDrop(|| panic!("a destructor"))).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| task.kill())).is_err());
    assert!(task.wait(Some(FOREVER)));
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn who_kills_himself_and_waits_is_killed_once() {
    let task = spawn(|| {
        let myself = Task::current().unwrap();
        myself.kill().unwrap();
        let killed = catch_unwind(AssertUnwindSafe(|| myself.kill_and_wait(None)));
        assert!(killed.unwrap_err().is::<GreenletExit>());
        yield_now();
        "it goes on"
    });
    assert_eq!(task.join().unwrap(), "it goes on");
}
