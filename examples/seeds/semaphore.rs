//! Six workers and two permits: two at a time, in the order in which they came.

use std::rc::Rc;

use greenlet::sync::BoundedSemaphore;
use greenlet::{join_all, spawn, yield_now};

fn worker(n: usize, permits: &BoundedSemaphore) {
    let permit = permits.acquire();
    println!("Worker {n} acquired semaphore");
    yield_now();
    drop(permit);
    println!("Worker {n} released semaphore");
}

pub(crate) fn main() {
    let permits = Rc::new(BoundedSemaphore::new(2));
    let workers = (0..6).map(|n| {
        let permits = permits.clone();
        spawn(move || worker(n, &permits))
    });
    join_all(workers, None);
}
