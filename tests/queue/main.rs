//! Queues between greenlets. What they have in common with other ways to wait is in `waiting/`.
//!
//! Numbers are those of the statements about gevent and eventlet that a test is for.

mod channels;
#[path = "../common/mod.rs"]
mod common;
mod order;
mod queues;
mod shutdown;

use std::rc::Rc;

use greenlet::queue::{Channel, GetError, LifoQueue, PriorityQueue, PutError, Queue, QueueOf, Storage};
use greenlet::{GreenThread, spawn};

use common::StaysOnItsThread;

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
