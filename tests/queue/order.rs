//! What comes out first; and orders that go wrong.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::queue::{LifoQueue, PriorityQueue, Queue};
use greenlet::{spawn, yield_now};

use crate::common::{Log, settle};
use crate::putter;

/// gevent 59; eventlet 60; do-not-repeat E6.
#[test]
fn items_come_out_in_the_order_in_which_they_went_in_whoever_is_killed() {
    let (queue, log) = (Rc::new(Queue::unbounded()), Log::default());
    let getters: Vec<_> = (0..4)
        .map(|n| {
            let (queue, log) = (queue.clone(), log.clone());
            spawn(move || log.note(format!("{n} got {}", queue.get().unwrap())))
        })
        .collect();
    settle();
    (0..4).for_each(|n| queue.put(n).unwrap());
    // All four are woken. Neither what the first one was to get nor its place in the order is lost.
    getters[0].kill().unwrap();
    getters[2].kill().unwrap();
    settle();
    assert_eq!(log.take(), ["1 got 0", "3 got 1"]);
    assert_eq!([queue.get(), queue.get()], [Ok(2), Ok(3)]);
}

/// eventlet 65; gevent 1.4.
#[test]
fn the_smallest_comes_out_first_also_if_it_was_put_later_and_had_to_wait() {
    let queue = Rc::new(PriorityQueue::bounded(2));
    queue.put(3).unwrap();
    queue.put(2).unwrap();
    let putter = putter(&queue, 1);
    settle();
    assert_eq!(queue.peek(), Ok(2));
    assert_eq!(queue.get(), Ok(2));
    settle();
    putter.join().unwrap().unwrap();
    assert_eq!([queue.get(), queue.get()], [Ok(1), Ok(3)]);
}

#[test]
fn equals_come_out_of_a_priority_queue_in_the_order_in_which_they_went_in() {
    #[derive(Debug)]
    struct Job(u32, &'static str);
    impl PartialEq for Job {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Job {}
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Job {
        fn cmp(&self, other: &Self) -> Ordering {
            self.0.cmp(&other.0)
        }
    }
    let queue: PriorityQueue<_> =
        [Job(1, "a"), Job(0, "b"), Job(1, "c"), Job(1, "d"), Job(0, "e")].into_iter().collect();
    queue.shutdown();
    assert_eq!(queue.iter().map(|job| job.1).collect::<String>(), "beacd");

    let greatest_first: PriorityQueue<_> = (0..5).map(Reverse).collect();
    assert_eq!(greatest_first.get(), Ok(Reverse(4)));
}

#[test]
fn the_latest_comes_out_of_a_stack_first() {
    let queue = Rc::new(LifoQueue::bounded(3));
    (0..3).for_each(|n| queue.put(n).unwrap());
    assert_eq!(queue.peek(), Ok(2));
    assert_eq!([queue.get(), queue.get()], [Ok(2), Ok(1)]);
    assert_eq!(queue.shutdown_now(), [0]);
}

thread_local! {
    static ORDER_PANICS: Cell<bool> = const { Cell::new(false) };
}

#[derive(PartialEq, Eq)]
struct Fussy(u8);

impl PartialOrd for Fussy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fussy {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(!ORDER_PANICS.get(), "as it should");
        self.0.cmp(&other.0)
    }
}

/// Whether it panics in the order of items.
fn order_panics(body: impl FnOnce()) -> bool {
    ORDER_PANICS.set(true);
    let caught = catch_unwind(AssertUnwindSafe(body));
    ORDER_PANICS.set(false);
    caught.is_err()
}

#[test]
fn an_item_whose_order_panics_is_in_the_queue_and_somebody_gets_it() {
    let queue = Rc::new(PriorityQueue::unbounded());
    let getters = [(); 2].map(|()| {
        let queue = queue.clone();
        spawn(move || queue.get().map(|Fussy(item)| item))
    });
    yield_now();
    queue.put(Fussy(1)).unwrap();
    assert!(order_panics(|| queue.put(Fussy(2)).unwrap()));
    assert_eq!((queue.len(), queue.unfinished()), (2, 2));
    assert_eq!(getters.map(|getter| getter.join().unwrap()), [Ok(1), Ok(2)]);
}

#[test]
fn somebody_has_the_place_of_an_item_that_is_lost_as_an_order_panics() {
    let queue = Rc::new(PriorityQueue::bounded(3));
    [1, 3, 2].into_iter().for_each(|item| queue.put(Fussy(item)).unwrap());
    let putting = queue.clone();
    let putter = spawn(move || putting.put(Fussy(4)).is_ok());
    yield_now();
    assert!(order_panics(|| drop(queue.try_get())));
    assert!(putter.join().unwrap());
    assert_eq!(queue.len(), 3);
}

#[test]
fn an_order_that_uses_its_own_queue_is_refused() {
    thread_local! {
        static QUEUE: PriorityQueue<Nosy> = const { PriorityQueue::unbounded() };
    }
    struct Nosy;
    impl PartialEq for Nosy {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }
    impl Eq for Nosy {}
    impl PartialOrd for Nosy {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Nosy {
        fn cmp(&self, _: &Self) -> Ordering {
            let _ = QUEUE.with(|queue| queue.try_get());
            Ordering::Equal
        }
    }
    QUEUE.with(|queue| queue.put(Nosy)).unwrap();
    let payload = catch_unwind(|| QUEUE.with(|queue| queue.put(Nosy))).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("must not use the queue"));
    assert_eq!(QUEUE.with(|queue| queue.len()), 2);
}

#[test]
fn a_copy_of_an_item_that_waits_as_it_is_made_fails_where_it_is_asked_for() {
    struct Waits;
    impl Clone for Waits {
        fn clone(&self) -> Self {
            yield_now();
            Self
        }
    }
    let queue = Rc::new(Queue::unbounded());
    queue.try_put(Waits).unwrap();
    let put = {
        let queue = queue.clone();
        spawn(move || queue.put(Waits).is_ok())
    };
    assert!(catch_unwind(AssertUnwindSafe(|| queue.peek().is_ok())).is_err());
    assert!(put.join().unwrap());
}
