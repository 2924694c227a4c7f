//! The end of queues, for those who wait and for what is left.

use std::rc::Rc;

use greenlet::queue::{Channel, GetError, JoinableQueue, PutError, Queue};
use greenlet::spawn;

use crate::common::{FOREVER, MS, settle};
use crate::{getter, putter};

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
