//! Timeouts.
//!
//! Numbers such as `gevent 40` or `eventlet 47` are those of the lists of the originals' behaviours
//! which this crate is held against.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::hub::Parker;
use greenlet::pool::ThreadPool;
use greenlet::queue::Queue;
use greenlet::sync::{Event, Semaphore};
use greenlet::{
    Expired, Greenlet, Timeout, TimeoutError, hub, join_all, set_report_hook, sleep, sleep_until, spawn,
    trace, with_timeout, yield_now,
};

const MS: Duration = Duration::from_millis(1);
const FOREVER: Duration = Duration::from_secs(1000);
const ELAPSED: Result<(), TimeoutError> = Err(TimeoutError::Elapsed);

/// Computes until this time has come.
fn compute_until(time: Instant) {
    while Instant::now() < time {}
}

/// gevent 40.
#[test]
fn a_timeout_ends_only_its_own_call() {
    let result = with_timeout(5 * MS, || with_timeout(FOREVER, || sleep(FOREVER)));
    assert_eq!(result, Err(TimeoutError::Elapsed));
    let result = with_timeout(FOREVER, || with_timeout(5 * MS, || sleep(FOREVER)));
    assert_eq!(result, Ok(ELAPSED));
}

/// gevent 40. eventlet 39.
#[test]
fn of_two_timeouts_with_one_deadline_the_outer_one_comes_first() {
    let inner_result = Cell::new(None);
    let result = with_timeout(5 * MS, || {
        let result = with_timeout(5 * MS, || {
            // Both are over before the next wait.
            compute_until(Instant::now() + 10 * MS);
            sleep(FOREVER);
        });
        inner_result.set(Some(result));
    });
    assert_eq!(result, ELAPSED);
    assert_eq!(inner_result.get(), None, "the inner one was unwound, and did not see its own");
    // It had fired, too, but its scope has been left.
    yield_now();
}

#[test]
fn an_outer_timeout_is_not_lost_when_an_inner_one_fires_first_and_both_are_over() {
    let result = with_timeout(6 * MS, || {
        let inner = with_timeout(5 * MS, || {
            compute_until(Instant::now() + 10 * MS);
            sleep(FOREVER);
        });
        assert_eq!(inner, ELAPSED);
        sleep(FOREVER);
    });
    assert_eq!(result, ELAPSED);
}

/// gevent 41, 49. eventlet 47: a silent timeout is one whose result nobody looks at.
#[test]
fn a_silent_timeout_swallows_itself_and_no_other() {
    let silent = |inner: Duration| _ = with_timeout(inner, || sleep(FOREVER));
    assert_eq!(with_timeout(FOREVER, || silent(MS)), Ok(()));
    assert_eq!(with_timeout(MS, || silent(FOREVER)), ELAPSED);
    assert_eq!(with_timeout(MS, || sleep(FOREVER)).map_err(|_| "fallback"), Err("fallback"));
    assert_eq!(with_timeout(MS, || sleep(FOREVER)).map_or("fallback", |()| "done"), "fallback");
    // The fallback is for this timeout only.
    let outer = with_timeout(MS, || with_timeout(FOREVER, || sleep(FOREVER)).is_err());
    assert_eq!(outer, Err(TimeoutError::Elapsed));
}

/// gevent 42.
#[test]
fn a_timeout_of_none_never_fires_and_sets_no_timer() {
    let timeout = Timeout::new(None);
    timeout.start().unwrap();
    assert!(!timeout.is_pending());
    timeout.start().unwrap();
    assert!(hub::join(None), "no timer keeps the hub waiting");
    assert_eq!(timeout.scope(|| (0..3).for_each(|_| yield_now())), Ok(()));
    assert_eq!(with_timeout(None, || 1), Ok(1));
    // Nor does one that the clock cannot express.
    assert_eq!(with_timeout(Duration::MAX, yield_now), Ok(()));
}

/// gevent 42, 43. eventlet 48.
#[test]
fn a_timeout_of_zero_fires_at_the_first_wait_and_not_before() {
    let steps = Cell::new(0);
    let result = with_timeout(Duration::ZERO, || {
        steps.set(1);
        yield_now();
        steps.set(2);
    });
    assert_eq!(result, ELAPSED);
    assert_eq!(steps.get(), 1);
    assert_eq!(with_timeout(Duration::ZERO, || 1), Ok(1), "it never waits");
}

/// gevent 44.
#[test]
fn what_never_waits_is_not_interrupted_even_if_it_takes_longer() {
    assert_eq!(with_timeout(MS, || compute_until(Instant::now() + 5 * MS)), Ok(()));
    // Nor does that come later.
    yield_now();
    sleep(MS);
}

/// gevent 45.
#[test]
fn a_timeout_is_started_once_and_again_when_it_was_cancelled_or_has_fired() {
    let timeout = Timeout::new(FOREVER);
    assert!(!timeout.is_pending());
    timeout.start().unwrap();
    assert_eq!(timeout.start(), Err(TimeoutError::Pending));
    assert_eq!(timeout.scope(|| unreachable!()), Err::<(), _>(TimeoutError::Pending));
    assert!(timeout.is_pending());
    timeout.cancel();
    assert!(!timeout.is_pending());
    timeout.start().unwrap();
    timeout.cancel();
    timeout.cancel();
    let short = Timeout::start_new(MS).unwrap();
    for _ in 0..2 {
        assert_eq!(short.catch(|| sleep(FOREVER)), ELAPSED);
        short.start().unwrap();
    }
}

/// gevent 46.
#[test]
fn the_greenlet_that_starts_a_timeout_is_the_one_that_it_interrupts() {
    let timeout = Rc::new(Timeout::new(MS));
    let target = spawn({
        let timeout = timeout.clone();
        move || {
            timeout.start().unwrap();
            timeout.catch(|| sleep(FOREVER))
        }
    });
    let bystander = spawn({
        let timeout = timeout.clone();
        move || timeout.catch(|| sleep(5 * MS))
    });
    assert_eq!(target.join().unwrap(), ELAPSED);
    assert_eq!(bystander.join().unwrap(), Ok(()));
}

/// gevent 47.
#[test]
fn a_timeout_that_has_fired_is_not_pending_and_tells_its_time() {
    let timeout = Timeout::start_new(MS).unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| sleep(FOREVER))).unwrap_err();
    assert!(!timeout.is_pending());
    let expired = payload.downcast_ref::<Expired>().unwrap();
    assert_eq!(expired.limit(), MS);
    assert_eq!(expired.to_string(), "timed out after 1ms");
    assert!(expired.is_of(&timeout) && !expired.is_of(&Timeout::new(MS)));
    assert_eq!(timeout.to_string(), "1ms");
    assert_eq!(Timeout::new(None).to_string(), "no limit");
    assert_eq!(format!("{timeout:?}"), "Timeout { limit: Some(1ms), pending: false }");
}

/// gevent 48.
#[test]
fn an_error_of_ones_own_is_what_is_raised() {
    #[derive(Debug, PartialEq)]
    struct TooLong(u32);
    let made = Rc::new(Cell::new(0));
    let timeout = Timeout::raising(MS, {
        let made = made.clone();
        move || {
            made.set(made.get() + 1);
            TooLong(made.get())
        }
    });
    for n in 1..3 {
        let payload = catch_unwind(AssertUnwindSafe(|| timeout.scope(|| sleep(FOREVER)))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&TooLong(n)));
        assert!(!timeout.is_pending(), "the scope has cancelled it");
    }
}

#[test]
fn a_task_that_catches_no_timeout_fails_with_it() {
    thread_local! {
        static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }
    set_report_hook(|report| REPORTS.with_borrow_mut(|reports| reports.push(report.to_string())));
    let task = spawn(|| {
        let _timeout = Timeout::start_new(2 * MS).unwrap();
        sleep(FOREVER);
    });
    let error = task.join().unwrap_err();
    assert!(error.is_timeout() && !error.is_killed());
    assert_eq!(error.to_string(), "the task timed out after 2ms");
    assert!(REPORTS.take()[0].ends_with("failed: the task timed out after 2ms"));
}

#[test]
fn dropping_a_timeout_cancels_it() {
    drop(Timeout::start_new(MS).unwrap());
    assert!(hub::join(None), "its timer is gone");
    let timeout = Timeout::start_new(MS).unwrap();
    compute_until(Instant::now() + 2 * MS);
    drop(timeout);
    sleep(2 * MS);
}

/// eventlet 49, the first half.
#[test]
fn a_timeout_that_nobody_cancels_fires_wherever_its_greenlet_is() {
    let task = spawn(|| {
        let timeout = Timeout::start_new(2 * MS).unwrap();
        std::mem::forget(timeout);
        let payload = catch_unwind(|| Event::new().wait()).unwrap_err();
        payload.is::<Expired>()
    });
    assert!(task.join().unwrap());
}

/// eventlet 49, the second half.
#[test]
fn a_timeout_that_outlives_its_greenlet_is_ignored() {
    for end in 0..3 {
        let started = spawn(|| std::mem::forget(Timeout::start_new(2 * MS).unwrap()));
        let by_hand = Greenlet::<()>::new(|()| std::mem::forget(Timeout::start_new(2 * MS).unwrap()));
        match end {
            0 => {
                assert!(started.wait(None));
                by_hand.switch(());
            }
            1 => {
                started.join().unwrap();
                by_hand.switch(());
                drop(by_hand);
            }
            _ => drop(started),
        }
        // Others take over the memory of those who are gone.
        let heirs: Vec<_> = (0..10).map(|_| spawn(|| sleep(5 * MS))).collect();
        assert_eq!(join_all(&heirs, None).len(), 10);
        assert!(heirs.iter().all(|heir| heir.error().is_none()));
    }
}

#[test]
fn a_timeout_reaches_a_greenlet_that_was_made_by_hand() {
    let g = Greenlet::<bool>::new(|_| with_timeout(MS, || sleep(FOREVER)).is_err());
    assert!(g.switch(false));
}

/// eventlet 50.
#[test]
fn another_greenlet_may_cancel_a_timeout() {
    let timeout = Rc::new(Timeout::new(5 * MS));
    let sleeper = spawn({
        let timeout = timeout.clone();
        move || timeout.scope(|| sleep(10 * MS))
    });
    yield_now();
    timeout.cancel();
    assert_eq!(sleeper.join().unwrap(), Ok(()));
}

/// eventlet 51.
#[test]
fn a_timeout_leaves_a_thread_to_its_work() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let (done, is_done) = std::sync::mpsc::channel();
    let result = with_timeout(MS, || {
        pool.run(move || {
            may_go.recv().unwrap();
            done.send(()).unwrap();
        })
    });
    assert!(result.is_err());
    go.send(()).unwrap();
    is_done.recv().unwrap();
    assert_eq!(pool.run(|| 1).unwrap(), 1, "the thread is free again");
}

#[test]
fn a_timeout_that_was_not_needed_leaves_nothing_behind() {
    for _ in 0..100 {
        assert_eq!(with_timeout(MS, || 1), Ok(1));
    }
    sleep(5 * MS);
    assert!(hub::join(None));
}

#[test]
fn a_panic_passes_through_a_timeout() {
    let payload = catch_unwind(|| with_timeout(FOREVER, || panic!("through"))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"through"));
    assert!(hub::join(None), "and its timer is cancelled");
}

/// The time is over after the hand-over and before the one who was handed something has run.
#[test]
fn what_was_handed_over_when_a_timeout_fires_is_passed_on() {
    /// Calls `hand_over` when `wait` waits under a timeout, and has both at once.
    fn at_once<R: 'static>(wait: impl FnOnce() -> R + 'static, hand_over: impl FnOnce()) -> bool {
        let waiter = spawn(move || with_timeout(2 * MS, wait).is_ok());
        yield_now();
        compute_until(Instant::now() + 4 * MS);
        hand_over();
        waiter.join().unwrap()
    }

    let semaphore = Rc::new(Semaphore::new(0));
    let got = at_once(
        {
            let semaphore = semaphore.clone();
            move || semaphore.acquire().forget()
        },
        || semaphore.release(1),
    );
    assert_eq!(semaphore.available(), usize::from(!got));

    let queue = Rc::new(Queue::unbounded());
    let got = at_once(
        {
            let queue = queue.clone();
            move || queue.get()
        },
        || queue.put(1).unwrap(),
    );
    assert_eq!(queue.try_get().ok(), (!got).then_some(1));

    let full = Rc::new(Queue::bounded(1));
    full.put(1).unwrap();
    let put = at_once(
        {
            let full = full.clone();
            move || full.put(2).unwrap()
        },
        || assert_eq!(full.get(), Ok(1)),
    );
    assert_eq!(full.try_get().ok(), put.then_some(2));

    let parker = Rc::new(Parker::new());
    let unparker = parker.unparker();
    let parked = at_once(
        {
            let parker = parker.clone();
            move || parker.park()
        },
        || unparker.unpark(),
    );
    assert_eq!(parker.park_timeout(Duration::ZERO), !parked);
}

/// What is scoped by one task is not seen by another, however they take turns.
#[test]
fn many_tasks_have_their_own_timeouts_at_the_same_time() {
    let start = Instant::now();
    let tasks: Vec<_> = (0..50u32)
        .map(|n| {
            spawn(move || {
                let inner = with_timeout(n % 5 * MS, || sleep_until(start + 1000 * FOREVER));
                assert_eq!(inner, ELAPSED);
                n
            })
        })
        .collect();
    let sum: u32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
    assert_eq!(sum, (0..50).sum());
}

#[test]
fn a_timeout_error_is_an_io_error_that_timed_out() {
    let error = std::io::Error::from(with_timeout(MS, || sleep(FOREVER)).unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "timed out");
}

#[test]
fn what_a_timeout_of_another_thread_raises_is_not_taken_for_ones_own() {
    let elsewhere = || {
        let _timeout = Timeout::start_new(MS).unwrap();
        sleep(FOREVER);
    };
    let caught = catch_unwind(|| {
        with_timeout(FOREVER, || {
            let error = ThreadPool::new(1).spawn(elsewhere).join().unwrap_err();
            error.resume()
        })
    });
    assert!(caught.unwrap_err().is::<Expired>());
}

#[test]
fn a_timeout_that_is_started_again_has_not_fired_before() {
    let timeout = Timeout::new(MS);
    timeout.start().unwrap();
    // Meanwhile it fires, for who waits in no way that can be interrupted.
    Greenlet::new(|()| sleep(5 * MS)).switch(());
    assert!(!timeout.is_pending());
    assert_eq!(timeout.scope(yield_now), Ok(()));
    drop(timeout);
    yield_now();
}

#[test]
fn an_error_that_nobody_is_left_for_troubles_nobody_as_it_is_dropped() {
    struct Troubles(fn());
    impl Drop for Troubles {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    for trouble in [yield_now, || panic!("a destructor")] as [fn(); 2] {
        let timeout = spawn(move || {
            let timeout = Timeout::raising(MS, move || Troubles(trouble));
            timeout.start().unwrap();
            timeout
        });
        let _timeout = timeout.join().unwrap();
        spawn(|| sleep(5 * MS)).join().unwrap();
        sleep(5 * MS);
        // Its greenlet has ended, and is still there.
        let ended = Rc::new(RefCell::new(None));
        let timeout = spawn({
            let ended = ended.clone();
            move || {
                ended.replace(Some(Greenlet::<()>::current()));
                let timeout = Timeout::raising(MS, move || Troubles(trouble));
                timeout.start().unwrap();
                timeout
            }
        });
        let _timeout = timeout.join().unwrap();
        sleep(5 * MS);
        assert!(ended.take().unwrap().is_dead());
    }
}

#[test]
fn a_sleep_from_which_nobody_unwinds_after_all_goes_on() {
    let until = Instant::now() + 20 * MS;
    let timeout = Rc::new(RefCell::new(None));
    let sleeper = spawn({
        let timeout = timeout.clone();
        move || {
            *timeout.borrow_mut() = Some(Timeout::start_new(MS).unwrap());
            sleep_until(until);
        }
    });
    // It sleeps, and who waits for it finds that its time is over.
    yield_now();
    let id = sleeper.id();
    trace::set(move |event| {
        if event.target().id() == id {
            drop(timeout.take());
        }
    });
    sleeper.join().unwrap();
    trace::clear();
    assert!(Instant::now() >= until);
}
