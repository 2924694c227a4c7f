//! What tasks wait for each other with.

use std::rc::Rc;

use greenlet::hub::Parker;
use greenlet::queue::{GetError, PutError, Queue};
use greenlet::sync::Semaphore;
use greenlet::{join_all, sleep, spawn, yield_now};

use crate::{FOREVER, MS, log};

#[test]
fn a_wake_that_comes_before_the_park_is_kept() {
    let parker = Parker::new();
    let unparker = parker.unparker();
    unparker.unpark();
    unparker.unpark();
    parker.park();
    assert!(!parker.park_timeout(MS), "two wakes make one permit");
    spawn(move || unparker.unpark()).join().unwrap();
    assert!(parker.park_timeout(FOREVER));
}

#[test]
fn semaphore_permits_go_to_those_who_wait_in_their_order() {
    let (entries, note) = log();
    let slots = Rc::new(Semaphore::new(2));
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let (slots, note) = (slots.clone(), note.clone());
            spawn(move || {
                let _slot = slots.acquire();
                note(&format!("{n}"));
                sleep(MS);
            })
        })
        .collect();
    yield_now();
    assert!(slots.try_acquire().is_none());
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(slots.available(), 2);
}

#[test]
fn a_permit_is_not_lost_when_its_taker_is_killed_after_the_wake() {
    let slots = Rc::new(Semaphore::new(0));
    let waiter = spawn({
        let slots = slots.clone();
        move || slots.acquire().forget()
    });
    yield_now();
    slots.release(1);
    waiter.kill().unwrap();
    assert!(waiter.join().unwrap_err().is_killed());
    assert_eq!(slots.available(), 1);
}

#[test]
fn an_item_is_not_lost_when_its_getter_is_killed_after_the_wake() {
    let queue = Rc::new(Queue::unbounded());
    let getters: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.get())
        })
        .collect();
    yield_now();
    queue.put("item").unwrap();
    getters[0].kill().unwrap();
    assert!(getters[1].wait(Some(FOREVER)));
    assert_eq!(getters[1].value(), Some(&Ok("item")));
}

#[test]
fn a_bounded_queue_makes_its_putters_wait() {
    let (entries, note) = log();
    let queue = Rc::new(Queue::bounded(1));
    let producer = spawn({
        let (queue, note) = (queue.clone(), note.clone());
        move || {
            for n in 0..3 {
                queue.put(n).unwrap();
                note(&format!("p{n}"));
            }
        }
    });
    yield_now();
    assert_eq!(*entries.borrow(), ["p0"]);
    assert_eq!(queue.put_timeout(99, MS), Err(PutError::Full(99)));
    assert_eq!([queue.get(), queue.get(), queue.get()], [Ok(0), Ok(1), Ok(2)]);
    producer.join().unwrap();
    assert_eq!(queue.get_timeout(MS), Err(GetError::Empty));
}

#[test]
fn a_semaphore_that_times_out_gives_nothing_back() {
    let slots = Semaphore::new(1);
    let _held = slots.acquire();
    assert!(slots.acquire_timeout(MS).is_none());
    assert!(slots.try_acquire().is_none());
}

#[test]
fn a_parker_whose_woken_waiter_is_killed_wakes_the_next() {
    let parker = Rc::new(Parker::new());
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let parker = parker.clone();
            spawn(move || parker.park())
        })
        .collect();
    yield_now();
    parker.unparker().unpark();
    waiters[0].kill().unwrap();
    assert!(waiters[1].wait(Some(FOREVER)));
    assert!(waiters[1].error().is_none());
}
