//! Semaphores, bounded and not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::sync::{BoundedSemaphore, Semaphore};
use greenlet::{join_all, spawn, yield_now};

use crate::common::{Log, settle};

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
