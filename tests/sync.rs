//! What greenlets wait for each other with. What all of it has in common is in `waiting/`.
//!
//! Numbers are those of the statements about gevent and eventlet that a test is for.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::hub::Parker;
use greenlet::pool::Group;
use greenlet::queue::Queue;
use greenlet::sync::{
    AsyncResult, Barrier, BoundedSemaphore, Condvar, Event, Mutex, RLock, RwLock, Semaphore,
};
use greenlet::{join_all, sleep, spawn, with_timeout, yield_now};

use common::{FOREVER, Log, MS, StaysOnItsThread, end, repeat_until, settle, spin};

// Everything that can be is made at compile time.
const _: (Event, Semaphore, BoundedSemaphore, RLock, Condvar, Barrier) = (
    Event::new(),
    Semaphore::new(1),
    BoundedSemaphore::new(1),
    RLock::new(),
    Condvar::new(),
    Barrier::new(1),
);
const _: (Mutex<u8>, RwLock<u8>) = (Mutex::new(0), RwLock::new(0));

// What waits on one hub is for its thread only. gevent 112, where it is an error at run time.
const _: [(); 9] = [
    <Event as StaysOnItsThread<_>>::IT_DOES,
    <AsyncResult<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Semaphore as StaysOnItsThread<_>>::IT_DOES,
    <BoundedSemaphore as StaysOnItsThread<_>>::IT_DOES,
    <RLock as StaysOnItsThread<_>>::IT_DOES,
    <Mutex<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Condvar as StaysOnItsThread<_>>::IT_DOES,
    <RwLock<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Barrier as StaysOnItsThread<_>>::IT_DOES,
];

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

/// eventlet 53; gevent 67.
#[test]
fn a_semaphore_counts_its_permits_and_those_who_wait() {
    let semaphore = Rc::new(Semaphore::new(0));
    for _ in 0..3 {
        let semaphore = semaphore.clone();
        drop(spawn(move || semaphore.acquire().forget()));
    }
    settle();
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 3));
    semaphore.release(5);
    assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    settle();
    assert_eq!(semaphore.available(), 2, "a plain one may have more than at first");
    assert_eq!(semaphore.wait(), 2);
}

/// eventlet 54; gevent 66.
#[test]
fn who_releases_and_acquires_again_at_once_does_not_starve_the_others() {
    let (lock, log) = (Rc::new(Semaphore::new(1)), Log::default());
    let tasks: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let (lock, log) = (lock.clone(), log.clone());
            spawn(move || {
                for n in 0..3 {
                    let _permit = lock.acquire();
                    log.note(format!("{name}{n}"));
                    yield_now();
                }
            })
        })
        .into();
    join_all(&tasks, None);
    assert_eq!(log.take(), ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]);
}

/// Has something done, that need not wait, until others have run.
fn others_run_beside(something: impl FnMut()) {
    let stop = Rc::new(Cell::new(false));
    drop(spawn({
        let stop = stop.clone();
        move || stop.set(true)
    }));
    repeat_until(|| stop.get(), something);
}

/// gevent 66.
#[test]
fn a_loop_over_a_free_lock_lets_others_run() {
    let mutex = Mutex::new(0_u64);
    others_run_beside(|| *mutex.lock() += 1);
}

#[test]
fn a_loop_over_anything_that_is_there_already_lets_others_run() {
    let (event, result) = (Event::new(), AsyncResult::new());
    event.set();
    result.set(()).unwrap();
    others_run_beside(|| event.wait());
    others_run_beside(|| result.wait());
    let (semaphore, rwlock, barrier) = (Semaphore::new(1), RwLock::new(()), Barrier::new(1));
    others_run_beside(|| drop(semaphore.acquire()));
    others_run_beside(|| drop(rwlock.read()));
    others_run_beside(|| assert!(barrier.wait().is_leader()));
    let (parker, queue) = (Parker::new(), Queue::<()>::unbounded());
    others_run_beside(|| {
        parker.unparker().unpark();
        parker.park();
    });
    others_run_beside(|| queue.join());
    let (group, task) = (Group::new(), spawn(|| ()));
    assert!(task.wait(None));
    others_run_beside(|| assert!(task.wait(None)));
    others_run_beside(|| assert!(group.join(None)));
}

/// eventlet 57; gevent 67.
#[test]
fn a_bounded_semaphore_takes_no_more_than_it_gave() {
    let semaphore = BoundedSemaphore::new(2);
    assert!(semaphore.release(1).is_err());
    semaphore.acquire().forget();
    assert!(semaphore.release(2).is_err());
    assert_eq!(semaphore.available(), 1, "nothing happened");
    semaphore.release(1).unwrap();
    let error = semaphore.release(1).unwrap_err().to_string();
    assert!(error.contains("2 permits"), "{error}");

    // What was released by hand cannot be given back by its guard as well.
    let guard = semaphore.acquire();
    semaphore.release(1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert_eq!(semaphore.available(), semaphore.bound());
}

/// The seeds' program: six workers and two permits.
#[test]
fn two_of_six_workers_work_at_a_time() {
    let (semaphore, log) = (Rc::new(BoundedSemaphore::new(2)), Log::default());
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let (semaphore, log) = (semaphore.clone(), log.clone());
            spawn(move || {
                let permit = semaphore.acquire();
                log.note(format!("{n} acquired"));
                yield_now();
                drop(permit);
                log.note(format!("{n} released"));
            })
        })
        .collect();
    join_all(&tasks, None);
    let of_two = |a, b| {
        [format!("{a} acquired"), format!("{b} acquired"), format!("{a} released"), format!("{b} released")]
    };
    assert_eq!(log.take(), [of_two(0, 1), of_two(2, 3), of_two(4, 5)].concat());
}

/// gevent 68.
#[test]
fn an_rlock_counts_how_often_its_holder_has_taken_it() {
    let lock = Rc::new(RLock::new());
    let outer = lock.acquire();
    let inner = lock.try_acquire().unwrap();
    let timed = lock.acquire_timeout(MS).unwrap();
    assert!(lock.is_locked() && lock.is_held());
    let other = spawn({
        let lock = lock.clone();
        move || {
            assert!(lock.is_locked() && !lock.is_held());
            assert!(lock.try_acquire().is_none() && lock.acquire_timeout(MS).is_none());
            drop(lock.acquire());
        }
    });
    drop(outer);
    drop(timed);
    sleep(5 * MS);
    assert!(!other.is_finished() && lock.is_held());
    drop(inner);
    other.join().unwrap();
    assert!(!lock.is_locked());
}

/// gevent 68.
#[test]
fn an_rlock_is_not_given_up_by_another_greenlet() {
    let lock: &'static RLock = Box::leak(Box::new(RLock::new()));
    let guard = RefCell::new(Some(lock.acquire()));
    let guard: &'static RefCell<_> = Box::leak(Box::new(guard));
    greenlet::set_report_hook(|_| ());
    let other = spawn(move || drop(guard.take()));
    let error = other.join().unwrap_err();
    assert!(error.message().unwrap().contains("the greenlet that acquired it"), "{error}");
    assert!(lock.is_held(), "it is still held by the one who acquired it");
}

#[test]
fn a_mutex_keeps_others_out_across_waits_and_is_not_poisoned_by_a_kill() {
    let mutex = Rc::new(Mutex::new(String::new()));
    let holder = spawn({
        let mutex = mutex.clone();
        move || {
            let mut value = mutex.lock();
            value.push_str("half");
            sleep(FOREVER);
        }
    });
    yield_now();
    assert!(mutex.try_lock().is_none());
    assert!(format!("{mutex:?}").contains("<locked>"));
    end(&holder);
    assert_eq!(*mutex.lock(), "half");
    let mut mutex = Rc::into_inner(mutex).unwrap();
    mutex.get_mut().push_str(" done");
    assert_eq!(mutex.into_inner(), "half done");
}

#[test]
fn a_mutex_that_is_waited_for_by_its_holder_is_reported() {
    let mutex = Mutex::new(());
    let _guard = mutex.lock();
    let payload = catch_unwind(AssertUnwindSafe(|| drop(mutex.lock()))).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.starts_with("LoopExit") && report.contains("a mutex"), "{report}");
}

/// do-not-repeat G6.
#[test]
fn a_condition_unlocks_while_it_waits_and_locks_again() {
    let (shared, log) = (Rc::new((Mutex::new(0), Condvar::new())), Log::default());
    let waiters: Vec<_> = (0..3)
        .map(|n| {
            let (shared, log) = (shared.clone(), log.clone());
            spawn(move || {
                let mut value = shared.1.wait_while(shared.0.lock(), |value| *value == 0);
                log.note(format!("{n} sees {value}"));
                *value += 1;
                yield_now(); // with the lock
            })
        })
        .collect();
    settle();
    *shared.0.lock() = 1;
    shared.1.notify_all();
    join_all(&waiters, None);
    assert_eq!(log.take(), ["0 sees 1", "1 sees 2", "2 sees 3"]);
}

#[test]
fn a_condition_that_is_not_notified_in_time_has_the_lock_nevertheless() {
    let (mutex, condition) = (Mutex::new(1), Condvar::new());
    let (guard, result) = condition.wait_timeout(mutex.lock(), MS);
    assert!(result.timed_out() && mutex.try_lock().is_none());
    drop(guard);
    let (guard, result) = condition.wait_timeout_while(mutex.lock(), MS, |value| *value == 1);
    assert!(result.timed_out());
    let (_guard, result) = condition.wait_timeout_while(guard, MS, |value| *value == 2);
    assert!(!result.timed_out());
}

#[test]
fn a_notification_is_not_lost_by_one_who_is_killed_before_it_has_the_lock() {
    let (shared, log) = (Rc::new((Mutex::new(()), Condvar::new())), Log::default());
    let waiters: Vec<_> = (0..2)
        .map(|n| {
            let (shared, log) = (shared.clone(), log.clone());
            spawn(move || {
                let _guard = shared.1.wait(shared.0.lock());
                log.note(n.to_string());
            })
        })
        .collect();
    settle();
    let guard = shared.0.lock();
    shared.1.notify_one();
    settle(); // the first one waits for the lock now
    end(&waiters[0]);
    drop(guard);
    settle();
    assert_eq!(log.take(), ["1"]);
}

/// do-not-repeat G6.
#[test]
fn readers_read_together_and_writers_write_alone_in_the_order_of_asking() {
    let (lock, log) = (Rc::new(RwLock::new(0)), Log::default());
    let tasks: Vec<_> = "rrwrwwr"
        .char_indices()
        .map(|(n, kind)| {
            let (lock, log) = (lock.clone(), log.clone());
            spawn(move || match kind {
                'r' => {
                    let value = lock.read();
                    log.note(format!("{n} reads {value}"));
                    yield_now();
                    yield_now();
                    log.note(format!("{n} leaves"));
                }
                _ => {
                    let mut value = lock.write();
                    log.note(format!("{n} writes"));
                    yield_now();
                    *value += 1;
                    log.note(format!("{n} leaves"));
                }
            })
        })
        .collect();
    join_all(&tasks, None);
    let expected = "0 reads 0, 1 reads 0, 0 leaves, 1 leaves, 2 writes, 2 leaves, 3 reads 1, 3 leaves, \
                    4 writes, 4 leaves, 5 writes, 5 leaves, 6 reads 3, 6 leaves";
    assert_eq!(log.take().join(", "), expected);
}

#[test]
fn a_writer_is_not_starved_by_readers_who_take_turns() {
    let (lock, done) = (Rc::new(RwLock::new(())), Rc::new(Cell::new(false)));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (lock, done) = (lock.clone(), done.clone());
            spawn(move || {
                while !done.get() {
                    let _guard = lock.read();
                    yield_now();
                    yield_now();
                }
            })
        })
        .collect();
    yield_now();
    let guard = lock.write_timeout(FOREVER).unwrap();
    done.set(true);
    drop(guard);
    join_all(&readers, None);
}

#[test]
fn readers_behind_a_writer_who_gives_up_do_not_wait_on() {
    for by_kill in [true, false] {
        let lock = Rc::new(RwLock::new(()));
        let reading = lock.read();
        let writer = spawn({
            let lock = lock.clone();
            move || drop(lock.write_timeout(if by_kill { FOREVER } else { 2 * MS }))
        });
        yield_now();
        let reader = spawn({
            let lock = lock.clone();
            move || drop(lock.read())
        });
        yield_now();
        assert!(lock.try_read().is_none(), "a writer is in line");
        if by_kill {
            end(&writer);
        }
        assert!(reader.wait(Some(FOREVER)));
        drop(reading);
        assert!(lock.try_write().is_some());
    }
}

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
