//! Queues between greenlets. What they have in common with other ways to wait is in `waiting/`.
//!
//! Numbers are those of the statements about gevent and eventlet that a test is for.

mod common;

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::queue::{
    Channel, GetError, JoinableQueue, LifoQueue, PriorityQueue, PutError, Queue, QueueOf, Storage,
    TaskDoneError,
};
use greenlet::{GreenThread, sleep, spawn, with_timeout, yield_now};

use common::{FOREVER, Log, MS, StaysOnItsThread, end, repeat_until, settle, spin};

// Everything is made at compile time.
const _: (Queue<u8>, LifoQueue<u8>, Channel<u8>) =
    (Queue::unbounded(), LifoQueue::bounded(1), Channel::new());
const _: PriorityQueue<u8> = PriorityQueue::unbounded();

// It is for its thread only.
const _: [(); 2] =
    [<Queue<u8> as StaysOnItsThread<_>>::IT_DOES, <Channel<u8> as StaysOnItsThread<_>>::IT_DOES];

fn getter<S>(queue: &Rc<QueueOf<S>>) -> GreenThread<Result<S::Item, GetError>>
where
    S: Storage + 'static,
    S::Item: 'static,
{
    let queue = queue.clone();
    spawn(move || queue.get())
}

fn putter<S>(queue: &Rc<QueueOf<S>>, item: S::Item) -> GreenThread<Result<(), PutError<S::Item>>>
where
    S: Storage + 'static,
    S::Item: 'static,
{
    let queue = queue.clone();
    spawn(move || queue.put(item))
}

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

/// gevent 60; eventlet 58.
#[test]
fn the_getter_of_a_channel_goes_on_before_its_putter() {
    for putter_first in [true, false] {
        let (channel, log) = (Rc::new(Channel::new()), Log::default());
        let put = || {
            let (channel, log) = (channel.clone(), log.clone());
            drop(spawn(move || {
                channel.put(1).unwrap();
                log.note("put");
            }));
        };
        let get = || {
            let (channel, log) = (channel.clone(), log.clone());
            drop(spawn(move || {
                channel.get().unwrap();
                log.note("got");
            }));
        };
        if putter_first {
            put();
            settle();
            get();
        } else {
            get();
            settle();
            put();
        }
        settle();
        assert_eq!(log.take(), ["got", "put"], "putter first: {putter_first}");
    }
}

/// eventlet 58.
#[test]
fn putting_into_a_channel_waits_until_the_item_is_taken() {
    let channel = Rc::new(Channel::new());
    assert!(channel.is_full() && channel.is_empty());
    assert_eq!(channel.try_put(0), Err(PutError::Full(0)));
    assert_eq!(channel.put_timeout(0, MS), Err(PutError::Full(0)));
    let putter = putter(&channel, 1);
    settle();
    assert!(!putter.is_finished());
    assert_eq!(channel.get(), Ok(1));
    putter.join().unwrap().unwrap();
    let getter = getter(&channel);
    settle();
    channel.try_put(2).unwrap();
    assert_eq!(getter.join().unwrap(), Ok(2));
}

/// eventlet 59, where it fails.
#[test]
fn trying_to_get_from_a_channel_takes_the_item_of_a_putter_who_waits() {
    let channel = Rc::new(Channel::new());
    let putters = [putter(&channel, 1), putter(&channel, 2)];
    settle();
    assert_eq!((channel.try_get(), channel.try_get()), (Ok(1), Ok(2)));
    assert_eq!(channel.try_get(), Err(GetError::Empty));
    for putter in putters {
        putter.join().unwrap().unwrap();
    }
}

#[test]
fn an_item_on_its_way_through_a_channel_outlives_both_its_putter_and_its_getter() {
    let channel = Rc::new(Channel::new());
    let getter = getter(&channel);
    settle();
    let putter = putter(&channel, "on its way");
    // Wakes the getter, and waits behind it.
    repeat_until(|| channel.getting() == 0, yield_now);
    getter.kill().unwrap();
    settle();
    assert!(getter.is_finished() && !putter.is_finished(), "nobody has taken it");
    end(&putter);
    assert_eq!(channel.get(), Ok("on its way"));
}

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

/// gevent 63.
#[test]
fn a_queue_that_is_shut_down_gives_what_is_left_and_takes_nothing() {
    let queue = Rc::new(Queue::bounded(2));
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    let waiting = putter(&queue, 3);
    settle();
    queue.shutdown();
    queue.shutdown();
    assert!(queue.is_shut_down());
    assert_eq!(waiting.join().unwrap(), Err(PutError::ShutDown(3)));
    assert_eq!(queue.put(4), Err(PutError::ShutDown(4)));
    assert_eq!(queue.try_put(4), Err(PutError::ShutDown(4)));
    assert_eq!(queue.put_timeout(4, MS), Err(PutError::ShutDown(4)));
    assert_eq!((queue.get(), queue.try_get()), (Ok(1), Ok(2)));
    assert_eq!((queue.get(), queue.try_get()), (Err(GetError::ShutDown), Err(GetError::ShutDown)));
    assert_eq!(queue.get_timeout(FOREVER), Err(GetError::ShutDown));
}

/// gevent 63.
#[test]
fn those_who_wait_for_an_item_when_a_queue_is_shut_down_are_told() {
    let queue = Rc::new(Queue::unbounded());
    let getters = [getter(&queue), getter(&queue), getter(&queue)];
    settle();
    queue.put("last").unwrap();
    queue.shutdown();
    let got = getters.map(|getter| getter.join().unwrap());
    assert_eq!(got, [Ok("last"), Err(GetError::ShutDown), Err(GetError::ShutDown)]);
}

#[test]
fn an_item_left_by_one_who_is_killed_at_shutdown_goes_to_the_next_one() {
    let queue = Rc::new(Queue::unbounded());
    let getters = [getter(&queue), getter(&queue)];
    settle();
    queue.put("last").unwrap();
    queue.shutdown();
    getters[0].kill().unwrap();
    let [_, next] = getters;
    assert_eq!(next.join().unwrap(), Ok("last"));
}

/// gevent 63.
#[test]
fn shutting_down_now_takes_everything_out_and_ends_all_waiting() {
    let queue = Rc::new(JoinableQueue::bounded(2));
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    let joiner = spawn({
        let queue = queue.clone();
        move || queue.join()
    });
    let putter = putter(&queue, 3);
    settle();
    assert_eq!(queue.shutdown_now(), [1, 2]);
    assert_eq!(queue.shutdown_now(), []);
    joiner.join().unwrap();
    assert_eq!(putter.join().unwrap(), Err(PutError::ShutDown(3)));
    assert_eq!(queue.get(), Err(GetError::ShutDown));
}

#[test]
fn a_getter_whose_item_is_taken_back_by_a_shutdown_is_told() {
    let queue = Rc::new(Queue::unbounded());
    let getter = getter(&queue);
    settle();
    queue.put(1).unwrap();
    assert_eq!(queue.shutdown_now(), [1]);
    assert_eq!(getter.join().unwrap(), Err(GetError::ShutDown));
}

#[test]
fn a_channel_that_is_shut_down_returns_the_items_of_its_putters() {
    let channel = Rc::new(Channel::new());
    let putters = [putter(&channel, 1), putter(&channel, 2)];
    settle();
    channel.shutdown();
    let [one, two] = putters.map(|putter| putter.join().unwrap());
    assert_eq!((one, two), (Err(PutError::ShutDown(1)), Err(PutError::ShutDown(2))));
    assert_eq!(channel.get(), Err(GetError::ShutDown));

    let channel = Rc::new(Channel::new());
    let getter = getter(&channel);
    settle();
    let putter = putter_without_waiting(&channel);
    assert_eq!(channel.shutdown_now(), [7], "it was on its way");
    assert_eq!((getter.join().unwrap(), putter), (Err(GetError::ShutDown), Ok(())));
}

fn putter_without_waiting(channel: &Channel<u32>) -> Result<(), PutError<u32>> {
    channel.try_put(7)
}

#[test]
fn iterating_ends_when_a_queue_is_shut_down_and_empty() {
    let queue: Rc<Queue<u32>> = Rc::new((0..3).collect());
    let sum = spawn({
        let queue = queue.clone();
        move || queue.iter().sum::<u32>()
    });
    settle();
    queue.put(10).unwrap();
    queue.shutdown();
    assert_eq!(sum.join().unwrap(), 13);
    assert_eq!((&*queue).into_iter().next(), None);
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
