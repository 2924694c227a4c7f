//! Locks: of one holder, taken again by it, of readers and a writer; and conditions.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::sync::{Condvar, Event, Mutex, MutexGuard, RLock, RwLock, Semaphore};
use greenlet::{GreenThread, Timeout, join_all, sleep, spawn, trace, yield_now};

use crate::common::{FOREVER, Log, MS, end, settle};

/// gevent 68.
#[test]
fn an_rlock_counts_how_often_its_holder_has_taken_it() {
    let lock = Rc::new(RLock::new());
    let outer = lock.acquire();
    let inner = lock.try_acquire().unwrap();
    let timed = lock.acquire_timeout(MS).unwrap();
    assert!(lock.is_locked() && lock.is_held());
    let gave_up = Rc::new(Event::new());
    let other = spawn({
        let (lock, gave_up) = (lock.clone(), gave_up.clone());
        move || {
            assert!(lock.is_locked() && !lock.is_held());
            assert!(lock.try_acquire().is_none() && lock.acquire_timeout(MS).is_none());
            gave_up.set();
            drop(lock.acquire());
        }
    });
    drop(outer);
    drop(timed);
    gave_up.wait();
    settle();
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

/// Calls `hook` each time that the task comes back from a wait.
fn whenever_it_runs(task: u64, hook: impl Fn() + 'static) {
    trace::set(move |event| {
        if event.target().id() == task {
            hook();
        }
    });
}

/// Of a task that pushes its own word when it has the lock.
fn comes_after_the_holder(task: GreenThread<()>, mut held: MutexGuard<'_, Vec<&str>>) {
    assert!(!task.is_finished() && held.is_empty());
    held.push("holder");
    drop(held);
    task.join().unwrap();
}

#[test]
fn who_was_woken_to_be_unwound_and_is_not_waits_on_for_the_lock() {
    let mutex = Rc::new(Mutex::new(Vec::new()));
    let held = mutex.lock();
    let timeout = Rc::new(RefCell::new(None));
    let task = spawn({
        let (mutex, timeout) = (mutex.clone(), timeout.clone());
        move || {
            *timeout.borrow_mut() = Some(Timeout::start_new(MS).unwrap());
            mutex.lock().push("task");
        }
    });
    yield_now();
    let fired = Rc::new(Event::new());
    whenever_it_runs(task.id(), {
        let fired = fired.clone();
        // The task runs because its time is over, and this takes that back.
        move || {
            if timeout.take().is_some() {
                fired.set();
            }
        }
    });
    fired.wait();
    settle();
    trace::clear();
    comes_after_the_holder(task, held);
}

#[test]
fn a_wake_for_the_greenlet_is_none_for_what_its_trace_hook_waits_for() {
    let (mutex, semaphore) = (Rc::new(Mutex::new(Vec::new())), Rc::new(Semaphore::new(0)));
    let task = spawn({
        let semaphore = semaphore.clone();
        // Its time is over when the hook runs, and it is in line still.
        move || semaphore.acquire_timeout(MS).map(|permit| permit.forget()).is_some()
    });
    yield_now();
    let mut held = mutex.lock();
    let waits = Rc::new(Event::new());
    let once = Cell::new(false);
    whenever_it_runs(task.id(), {
        let (mutex, waits) = (mutex.clone(), waits.clone());
        move || {
            if !once.replace(true) {
                waits.set();
                mutex.lock().push("hook");
            }
        }
    });
    waits.wait();
    semaphore.release(1);
    settle();
    held.push("holder");
    drop(held);
    assert!(task.join().unwrap(), "it was given the permit");
    trace::clear();
    assert_eq!(*mutex.lock(), ["holder", "hook"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_ends_calls_of_a_c_library_gives_nobody_a_lock() {
    use greenlet::hub::embed::{OnSignal, note_signal, until_signal};

    let mutex = Rc::new(Mutex::new(Vec::new()));
    let held = mutex.lock();
    let task = spawn({
        let mutex = mutex.clone();
        move || until_signal(OnSignal::End, |_| mutex.lock().push("task"))
    });
    yield_now();
    note_signal(true);
    settle();
    comes_after_the_holder(task, held);
}

#[test]
fn a_lock_that_was_handed_over_is_locked_before_its_holder_runs() {
    let lock = Rc::new(RLock::new());
    let held = lock.acquire();
    let next = spawn({
        let lock = lock.clone();
        move || drop(lock.acquire())
    });
    yield_now();
    drop(held);
    assert!(lock.is_locked() && !lock.is_held());
    assert!(lock.try_acquire().is_none());
    next.join().unwrap();
    assert!(!lock.is_locked());
}
