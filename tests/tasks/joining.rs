//! Waiting for tasks.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::hub::Waitable;
use greenlet::sync::{AsyncResult, Event};
use greenlet::{
    GreenThread, Task, Timeout, TimeoutError, iwait, join_all, sleep, spawn, wait, with_timeout, yield_now,
};

use crate::{FOREVER, MS, log, reports};

/// A task for each event, which ends when that is set.
fn gated(count: usize) -> (Vec<Rc<Event>>, Vec<GreenThread<usize>>) {
    let events: Vec<_> = (0..count).map(|_| Rc::new(Event::new())).collect();
    let task = |(n, event): (usize, &Rc<Event>)| {
        let event = event.clone();
        spawn(move || {
            event.wait();
            n
        })
    };
    let tasks = events.iter().enumerate().map(task).collect();
    (events, tasks)
}

fn ids<T>(tasks: &[&GreenThread<T>]) -> Vec<u64> {
    tasks.iter().map(|task| task.id()).collect()
}

#[test]
fn join_returns_the_result_or_says_why_there_is_none() {
    reports();
    assert_eq!(spawn(|| "fine".to_string()).join().unwrap(), "fine");
    let error = spawn(|| panic!("broken {}", 1)).join().unwrap_err();
    assert_eq!(error.message(), Some("broken 1"));
    assert!(!error.is_killed());
}

/// gevent 32.
#[test]
fn join_with_a_timeout_gives_the_handle_back_and_wait_says_no() {
    let event = Rc::new(Event::new());
    let task = spawn({
        let event = event.clone();
        move || event.wait()
    });
    assert!(task.result().is_none());
    assert!(!task.wait(Some(MS)));
    let task = task.join_timeout(Duration::ZERO).unwrap_err();
    event.set();
    task.join_timeout(FOREVER).unwrap().unwrap();
}

#[test]
fn the_result_is_lent_out_until_it_is_taken() {
    reports();
    let tasks = [spawn(|| 1), spawn(|| panic!("no"))];
    assert!(tasks[0].value().is_none() && tasks[0].error().is_none());
    join_all(&tasks, None);
    assert_eq!(tasks[0].value(), Some(&1));
    assert!(tasks[0].error().is_none());
    assert!(tasks[1].value().is_none());
    assert_eq!(tasks[1].error().unwrap().message(), Some("no"));
    let [good, bad] = tasks.map(GreenThread::join);
    assert_eq!(good.unwrap(), 1);
    bad.unwrap_err();
}

#[test]
fn large_and_overaligned_bodies_and_values_arrive_whole() {
    #[repr(align(256))]
    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Wide([u64; 100]);
    let wide = Wide(std::array::from_fn(|n| n as u64));
    let task = spawn(move || {
        yield_now();
        Wide(wide.0.map(|n| n + 1))
    });
    let value = task.join().unwrap();
    assert_eq!(std::ptr::from_ref(&value).addr() % 256, 0);
    assert_eq!(value.0, wide.0.map(|n| n + 1));
    assert_eq!(spawn(move || wide.0.len()).join().unwrap(), 100);
    spawn(|| ()).join().unwrap();
}

#[test]
fn several_may_wait_for_one_task_through_clones_of_its_handle() {
    let gate = Rc::new(Event::new());
    let task = spawn({
        let gate = gate.clone();
        move || gate.wait()
    });
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let task = task.clone();
            spawn(move || task.wait(None))
        })
        .collect();
    yield_now();
    gate.set();
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    assert!(task.is_finished());
}

/// gevent 33.
#[test]
fn a_join_under_a_timeout_is_ended_by_that_timeout_and_leaves_nothing_behind() {
    let (events, tasks) = gated(1);
    let outer = Timeout::new(MS);
    let result = outer.scope(|| with_timeout(FOREVER, || tasks[0].wait(None)));
    assert_eq!(result, Err(TimeoutError::Elapsed));
    // Were there still a place in the task's queue, this would wake who is not there.
    events[0].set();
    assert!(tasks[0].wait(None));
}

/// eventlet 36.
#[test]
fn a_task_that_waits_for_itself_is_told() {
    reports();
    let waits: [fn(Task); 3] = [
        |own| _ = own.wait(None),
        |own| _ = iwait([own]).next(),
        |own| _ = own.kill_and_wait(None).map(|_| unreachable!("it unwinds before that")),
    ];
    for (n, wait_for_itself) in waits.into_iter().enumerate() {
        let task = spawn(move || wait_for_itself(Task::current().unwrap()));
        let error = task.join().unwrap_err();
        assert_eq!(error.is_killed(), n == 2);
        assert_eq!(reports().iter().any(|report| report.1.contains("cannot wait for its own end")), n < 2);
    }
    let killed = spawn(|| {
        let own = Task::current().unwrap();
        own.kill().unwrap();
        join_all([own], None)
    });
    assert!(killed.join().unwrap_err().is_killed(), "the kill comes first");
}

/// gevent 11.
#[test]
fn tasks_that_join_one_another_in_a_circle_end_in_a_loop_exit() {
    let other: Rc<Cell<Option<GreenThread<()>>>> = Rc::default();
    let first = spawn({
        let other = other.clone();
        move || drop(other.take().unwrap().join())
    });
    let handle = first.clone();
    let second = spawn(move || drop(first.join()));
    other.set(Some(second));
    let payload = catch_unwind(AssertUnwindSafe(|| handle.wait(None))).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert_eq!(report.matches(": the end of a task").count(), 3, "{report}");
    handle.kill().unwrap();
    assert!(handle.wait(None));
}

/// gevent 15.
#[test]
fn join_all_returns_tasks_in_the_order_of_their_ends() {
    let (events, tasks) = gated(3);
    drop(spawn(move || {
        for n in [2, 0, 1] {
            events[n].set();
            yield_now();
        }
    }));
    let ended = join_all(&tasks, None);
    assert_eq!(ids(&ended), ids(&[&tasks[2], &tasks[0], &tasks[1]]));
}

/// gevent 16.
#[test]
fn join_all_counts_duplicates_and_returns_nothing_for_nothing() {
    let task = spawn(|| ());
    assert_eq!(join_all([&task, &task], None).len(), 2);
    assert_eq!(join_all([&task, &task], None).len(), 2);
    assert!(join_all::<&GreenThread<()>>([], None).is_empty());
    assert!(wait::<&GreenThread<()>>([], None, Some(3)).is_empty());
}

/// gevent 17.
#[test]
fn wait_returns_when_so_many_have_ended() {
    let (events, tasks) = gated(3);
    events[1].set();
    assert_eq!(ids(&wait(&tasks, None, Some(1))), [tasks[1].id()]);
    assert!(wait(&tasks, None, Some(0)).is_empty());
    events.iter().for_each(|event| event.set());
    assert_eq!(wait(&tasks, None, Some(99)).len(), 3);
}

#[test]
fn join_all_with_a_timeout_returns_those_that_have_ended() {
    let (events, tasks) = gated(2);
    events[0].set();
    let ended = join_all(&tasks, Some(5 * MS));
    assert_eq!(ids(&ended), [tasks[0].id()]);
    assert!(tasks[0].is_finished() && !tasks[1].is_finished());
    tasks[1].kill().unwrap();
    assert!(tasks[1].wait(None));
}

/// gevent 18.
#[test]
fn join_all_without_any_time_still_lets_run_what_is_ready() {
    let tasks = [spawn(|| 1), spawn(|| 2)];
    assert_eq!(join_all(&tasks, Some(Duration::ZERO)).len(), 2);
}

/// gevent 19: `raise_error` is a search for the first error, in the order of the ends.
#[test]
fn the_first_failure_is_found_while_the_others_run_on() {
    reports();
    let slow = spawn(|| sleep(FOREVER));
    let tasks = [slow, spawn(|| panic!("late")), spawn(|| ()), spawn(|| panic!("later"))];
    let mut ended = iwait(&tasks);
    let failed = ended.find(|task| task.error().is_some()).unwrap();
    assert_eq!(failed.error().unwrap().message(), Some("late"));
    drop(ended);
    assert!(!tasks[0].is_finished());
    tasks[0].kill().unwrap();
    join_all(&tasks, None);
}

/// gevent 20.
#[test]
fn others_may_run_between_two_items_of_an_iwait() {
    let (events, tasks) = gated(4);
    let mut order = Vec::new();
    events[3].set();
    for task in iwait(&tasks) {
        let n = *task.value().unwrap();
        order.push(n);
        if n > 0 {
            events[n - 1].set();
            yield_now();
            yield_now();
        }
    }
    assert_eq!(order, [3, 2, 1, 0]);
}

/// gevent 20.
#[test]
fn an_iwait_that_is_abandoned_half_way_wakes_nobody_later() {
    let (events, tasks) = gated(3);
    let mut ended = iwait(&tasks);
    events[0].set();
    assert_eq!(ended.next().unwrap().value(), Some(&0));
    drop(ended);
    // The others end while this waits for something else.
    let (setter, other) = (Rc::new(Event::new()), Rc::new(Event::new()));
    drop(spawn({
        let (events, setter, other) = (events.clone(), setter.clone(), other.clone());
        move || {
            events[1].set();
            events[2].set();
            (0..5).for_each(|_| yield_now());
            setter.set();
            other.set();
        }
    }));
    other.wait();
    assert!(setter.is_set(), "nothing but the event ended the wait");
}

#[test]
fn an_iwait_lets_go_of_what_it_was_given() {
    let event = Rc::new(Event::new());
    let task = spawn({
        let event = event.clone();
        move || event.wait()
    });
    let shared = Rc::new(task);
    {
        let mut ended = iwait([shared.clone(), shared.clone()]);
        event.set();
        let first = ended.next().unwrap();
        assert_eq!(Rc::strong_count(&shared), 3);
        drop(first);
    }
    assert_eq!(Rc::strong_count(&shared), 1);
    Rc::into_inner(shared).unwrap().join().unwrap();
    assert_eq!(Rc::strong_count(&event), 1, "the body is gone");
}

#[test]
fn an_iwait_whose_waiter_is_killed_can_be_dropped_by_the_unwinding() {
    let (events, tasks) = gated(2);
    let tasks = Rc::new(tasks);
    let waiter = spawn({
        let tasks = tasks.clone();
        move || iwait(&*tasks).count()
    });
    yield_now();
    yield_now();
    waiter.kill().unwrap();
    assert!(waiter.join().unwrap_err().is_killed());
    events.iter().for_each(|event| event.set());
    assert_eq!(join_all(&*tasks, None).len(), 2);
}

#[test]
fn an_iwait_that_is_woken_and_killed_at_once_loses_nothing() {
    let (events, tasks) = gated(1);
    let mut ended = iwait(tasks);
    let killed = with_timeout(MS, || {
        events[0].set();
        // The task is to end, and the time to be over, before this goes on.
        let over = std::time::Instant::now() + 5 * MS;
        while std::time::Instant::now() < over {}
        ended.next().map(|task| task.join().unwrap())
    });
    match killed {
        Ok(value) => assert_eq!(value, Some(0)),
        Err(_) => assert_eq!(ended.next().map(|task| task.join().unwrap()), Some(0)),
    }
}

#[test]
fn an_iwait_ends_when_its_time_is_over() {
    let (events, tasks) = gated(2);
    events[1].set();
    let found: Vec<_> = iwait(&tasks).within(5 * MS).map(|task| task.id()).collect();
    assert_eq!(found, [tasks[1].id()]);
    events[0].set();
    join_all(&tasks, None);
}

/// gevent 31.
#[test]
fn a_task_is_started_when_it_runs_and_stays_so() {
    let seen = Rc::new(Cell::new((false, true)));
    let task = spawn({
        let seen = seen.clone();
        move || {
            let me = greenlet::Task::current().unwrap();
            seen.set((me.is_started(), me.is_finished()));
        }
    });
    assert!(!task.is_started());
    assert!(task.wait(None));
    assert_eq!(seen.get(), (true, false));
    assert!(task.is_started() && task.is_finished() && task.is_successful());
}

#[test]
fn a_value_whose_destructor_panics_is_reported_and_harms_nobody() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            panic!("angry");
        }
    }
    reports();
    drop(spawn(|| Angry));
    yield_now();
    assert!(reports()[0].1.contains("being dropped: the greenlet panicked: angry"));
    let kept = spawn(|| Angry);
    assert!(kept.wait(None));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(kept))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"angry"), "whoever drops the handle drops the value");
    assert_eq!(spawn(|| 1).join().unwrap(), 1);
}

#[test]
fn a_circle_of_handles_is_cut_by_the_end() {
    let (entries, note) = log();
    let slot: Rc<Cell<Option<GreenThread<()>>>> = Rc::default();
    let task = spawn({
        let slot = slot.clone();
        move || {
            let _note = crate::Note(note, "gone");
            yield_now();
            drop(slot.take());
        }
    });
    slot.set(Some(task));
    (0..3).for_each(|_| yield_now());
    assert_eq!(*entries.borrow(), ["gone"]);
    assert_eq!(Rc::strong_count(&slot), 1);
}

/// gevent 21, for what wakes everybody who waits for it.
#[test]
fn tasks_events_and_results_are_waited_for_alike() {
    let (event, result) = (Event::new(), AsyncResult::new());
    let task = spawn(|| {
        yield_now();
        1
    });
    let setter = {
        let result = result.clone();
        spawn(move || result.set("there").unwrap())
    };
    let objects: [&dyn Waitable; 3] = [&task, &event, &result];
    let is = |object: &dyn Waitable, other: &dyn Waitable| {
        std::ptr::addr_eq(std::ptr::from_ref(object), std::ptr::from_ref(other))
    };
    let ready = wait(objects, None, Some(2));
    assert!(is(ready[0], &result) && is(ready[1], &task));
    // Whoever waits is told of a flag that is cleared again at once.
    let event = Rc::new(event);
    drop(spawn({
        let event = event.clone();
        move || {
            event.set();
            event.clear();
        }
    }));
    assert_eq!(wait([event], None, None).len(), 1);
    setter.join().unwrap();
    task.join().unwrap();
}
