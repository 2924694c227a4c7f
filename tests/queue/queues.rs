//! Places: who waits for an item or for room, in which turn, and how long.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use greenlet::queue::{Channel, GetError, JoinableQueue, PutError, Queue, TaskDoneError};
use greenlet::{sleep, spawn, with_timeout, yield_now};

use crate::common::{FOREVER, Log, MS, end, repeat_until, settle, spin};
use crate::{getter, putter};

/// gevent 57, where `Queue(0)` is without bound; `Channel` has no size to get wrong.
#[test]
fn a_queue_of_capacity_zero_is_refused() {
    assert!(catch_unwind(|| Queue::<u8>::bounded(0)).is_err());
    assert!(catch_unwind(|| Queue::<u8>::bounded(1).resize(0)).is_err());
}

/// gevent 58.
#[test]
fn full_and_empty_are_told_at_once_or_after_a_timeout() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.try_get(), Err(GetError::Empty));
    assert_eq!(queue.get_timeout(MS), Err(GetError::Empty));
    assert_eq!(queue.get_timeout(Duration::ZERO), Err(GetError::Empty));
    queue.put(1).unwrap();
    assert!(queue.is_full() && !queue.is_empty());
    assert_eq!((queue.len(), queue.capacity()), (1, 1));
    assert_eq!(queue.try_put(2), Err(PutError::Full(2)));
    assert_eq!(queue.put_timeout(2, MS), Err(PutError::Full(2)));
    assert_eq!(queue.put_timeout(2, MS).unwrap_err().into_inner(), 2);
    assert_eq!(queue.get_timeout(Duration::ZERO), Ok(1));
}

/// gevent 60.
#[test]
fn a_producer_and_a_consumer_of_a_queue_of_one_alternate() {
    let (queue, log) = (Rc::new(Queue::bounded(1)), Log::default());
    let producer = spawn({
        let (queue, log) = (queue.clone(), log.clone());
        move || {
            for n in 0..3 {
                queue.put(n).unwrap();
                log.note(format!("p{n}"));
            }
        }
    });
    for _ in 0..3 {
        yield_now();
        let n = queue.get().unwrap();
        log.note(format!("g{n}"));
    }
    producer.join().unwrap();
    assert_eq!(log.take(), ["p0", "g0", "p1", "g1", "p2", "g2"]);
}

/// eventlet 62 and gevent's, where the getter gets nothing.
#[test]
fn an_item_that_comes_together_with_a_timeout_is_got_or_kept() {
    let queue = Rc::new(Queue::unbounded());
    let getter = spawn({
        let queue = queue.clone();
        move || queue.get_timeout(MS)
    });
    yield_now();
    spin(5 * MS);
    queue.put("item").unwrap();
    assert_eq!(getter.join().unwrap(), Ok("item"));

    let getter = spawn({
        let queue = queue.clone();
        move || with_timeout(MS, || queue.get())
    });
    yield_now();
    spin(5 * MS);
    queue.put("other").unwrap();
    assert!(getter.join().unwrap().is_err());
    assert_eq!(queue.try_get(), Ok("other"));
}

/// gevent 62.
#[test]
fn peeking_leaves_the_item_for_the_next_one_in_line() {
    let queue = Rc::new(Queue::bounded(1));
    assert_eq!(queue.try_peek(), Err(GetError::Empty));
    assert_eq!(queue.peek_timeout(MS), Err(GetError::Empty));
    let peeker = spawn({
        let queue = queue.clone();
        move || queue.peek()
    });
    settle();
    let getter = getter(&queue);
    settle();
    queue.put("item").unwrap();
    assert_eq!(queue.try_peek(), Err(GetError::Empty), "it is the peeker's turn");
    assert_eq!(peeker.join().unwrap(), Ok("item"));
    assert_eq!(getter.join().unwrap(), Ok("item"));

    queue.put("another").unwrap();
    assert_eq!((queue.peek(), queue.try_peek()), (Ok("another"), Ok("another")));
    assert_eq!(queue.len(), 1);
    queue.shutdown_now();
    assert_eq!((queue.peek(), queue.try_peek()), (Err(GetError::ShutDown), Err(GetError::ShutDown)));
}

/// gevent 62; eventlet 64.
#[test]
fn joining_a_queue_waits_until_all_is_done() {
    let queue = Rc::new(JoinableQueue::unbounded());
    queue.join();
    assert!(queue.join_timeout(Duration::ZERO));
    assert_eq!(queue.task_done(), Err(TaskDoneError));
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    assert_eq!(queue.unfinished(), 2);
    assert!(!queue.join_timeout(MS));
    let joiners: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.join())
        })
        .collect();
    queue.get().unwrap();
    queue.get().unwrap();
    queue.task_done().unwrap();
    settle();
    assert!(!joiners[0].is_finished(), "one is being worked on");
    queue.task_done().unwrap();
    assert!(joiners.iter().all(|joiner| joiner.wait(Some(FOREVER))));
    assert_eq!(queue.task_done(), Err(TaskDoneError));
}

/// eventlet 63.
#[test]
fn more_capacity_wakes_putters_and_less_leaves_the_excess() {
    let queue = Rc::new(Queue::bounded(1));
    queue.put(0).unwrap();
    let putters: Vec<_> = (1..5).map(|n| putter(&queue, n)).collect();
    settle();
    assert_eq!(queue.putting(), 4);
    queue.resize(3);
    settle();
    assert_eq!((queue.len(), queue.putting()), (3, 2));
    queue.resize(1);
    assert_eq!(queue.get(), Ok(0));
    settle();
    assert!(queue.is_full());
    assert_eq!((queue.len(), queue.putting()), (2, 2));
    queue.resize(usize::MAX);
    settle();
    assert!(putters.iter().all(|task| task.is_successful()));
    let rest: Vec<_> = (0..4).map(|_| queue.try_get().unwrap()).collect();
    assert_eq!(rest, [1, 2, 3, 4]);
}

/// eventlet 1.4.
#[test]
fn a_queue_counts_those_who_wait() {
    let queue = Rc::new(Queue::<u32>::bounded(1));
    let getters = [getter(&queue), getter(&queue)];
    settle();
    assert_eq!((queue.getting(), queue.putting()), (2, 0));
    assert_eq!(
        format!("{queue:?}"),
        "QueueOf { len: 0, capacity: 1, getting: 2, putting: 0, shut_down: false }"
    );
    queue.shutdown();
    getters.into_iter().for_each(drop);
    settle();
    assert_eq!(queue.getting(), 0);
}

/// gevent 64.
#[test]
fn a_loop_over_a_queue_that_is_always_ready_lets_timers_fire() {
    let (queue, stop) = (Queue::unbounded(), Rc::new(Cell::new(false)));
    drop(spawn({
        let stop = stop.clone();
        move || {
            sleep(MS);
            stop.set(true);
        }
    }));
    queue.put(0_u64).unwrap();
    repeat_until(|| stop.get(), || queue.put(queue.get().unwrap() + 1).unwrap());
}

/// gevent 61.
#[test]
fn trying_neither_waits_nor_lets_others_run() {
    let (queue, log) = (Rc::new(Queue::bounded(1000)), Log::default());
    let getter = getter(&queue);
    settle();
    drop(spawn({
        let log = log.clone();
        move || log.note("somebody ran")
    }));
    for n in 0..500 {
        queue.try_put(n).unwrap();
    }
    assert_eq!(queue.try_get(), Ok(0), "the first one that is left; the getter gets the one after it");
    while queue.try_get().is_ok() {}
    assert_eq!(log.take(), [""; 0]);
    assert!(getter.join().unwrap().is_ok());
}

#[test]
fn what_is_left_in_a_queue_is_dropped_with_it() {
    let item = Rc::new(());
    let queue = Queue::unbounded();
    queue.put(item.clone()).unwrap();
    drop(queue);
    assert_eq!(Rc::strong_count(&item), 1);
    let channel = Rc::new(Channel::new());
    let putter = putter(&channel, item.clone());
    settle();
    end(&putter);
    drop(putter);
    assert_eq!(Rc::strong_count(&item), 1);
}

/// The seeds' program: three consumers.
#[test]
fn each_product_is_consumed_once() {
    let (products, log) = (Rc::new(Queue::unbounded()), Log::default());
    let producer = spawn({
        let products = products.clone();
        move || (1..10).for_each(|n| products.put(n).unwrap())
    });
    let consumers = ["steve", "john", "nancy"].map(|name| {
        let (products, log) = (products.clone(), log.clone());
        spawn(move || {
            while let Ok(product) = products.try_get() {
                log.note(format!("{name} {product}"));
                yield_now();
            }
        })
    });
    producer.join().unwrap();
    consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
    let names = ["steve", "john", "nancy"].into_iter().cycle();
    assert_eq!(log.take(), names.zip(1..10).map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>());
}
