//! What greenlets wait for each other with. What all of it has in common is in `waiting/`.
//!
//! Numbers are those of the statements about gevent and eventlet that a test is for.

mod barriers;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod locks;
mod results;
mod semaphores;

use std::cell::Cell;
use std::rc::Rc;

use greenlet::hub::Parker;
use greenlet::pool::Group;
use greenlet::queue::Queue;
use greenlet::spawn;
use greenlet::sync::{
    AsyncResult, Barrier, BoundedSemaphore, Condvar, Event, Mutex, RLock, RwLock, Semaphore,
};

use common::{StaysOnItsThread, repeat_until};

// Everything that can be is made at compile time.
const _: (Event, Semaphore, BoundedSemaphore, RLock, Condvar, Barrier) = (
    Event::new(),
    Semaphore::new(1),
    BoundedSemaphore::new(1),
    RLock::new(),
    Condvar::new(),
    Barrier::new(1),
);
const _: (Mutex<u8>, RwLock<u8>) = (Mutex::new(0), RwLock::new(0));

// What waits on one hub is for its thread only. gevent 112, where it is an error at run time.
const _: [(); 9] = [
    <Event as StaysOnItsThread<_>>::IT_DOES,
    <AsyncResult<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Semaphore as StaysOnItsThread<_>>::IT_DOES,
    <BoundedSemaphore as StaysOnItsThread<_>>::IT_DOES,
    <RLock as StaysOnItsThread<_>>::IT_DOES,
    <Mutex<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Condvar as StaysOnItsThread<_>>::IT_DOES,
    <RwLock<u8> as StaysOnItsThread<_>>::IT_DOES,
    <Barrier as StaysOnItsThread<_>>::IT_DOES,
];

/// Has something done, that need not wait, until others have run.
fn others_run_beside(something: impl FnMut()) {
    let stop = Rc::new(Cell::new(false));
    drop(spawn({
        let stop = stop.clone();
        move || stop.set(true)
    }));
    repeat_until(|| stop.get(), something);
}

/// gevent 66.
#[test]
fn a_loop_over_a_free_lock_lets_others_run() {
    let mutex = Mutex::new(0_u64);
    others_run_beside(|| *mutex.lock() += 1);
}

#[test]
fn a_loop_over_anything_that_is_there_already_lets_others_run() {
    let (event, result) = (Event::new(), AsyncResult::new());
    event.set();
    result.set(()).unwrap();
    others_run_beside(|| event.wait());
    others_run_beside(|| result.wait());
    let (semaphore, rwlock, barrier) = (Semaphore::new(1), RwLock::new(()), Barrier::new(1));
    others_run_beside(|| drop(semaphore.acquire()));
    others_run_beside(|| drop(rwlock.read()));
    others_run_beside(|| assert!(barrier.wait().is_leader()));
    let (parker, queue) = (Parker::new(), Queue::<()>::unbounded());
    others_run_beside(|| {
        parker.unparker().unpark();
        parker.park();
    });
    others_run_beside(|| queue.join());
    let (group, task) = (Group::new(), spawn(|| ()));
    assert!(task.wait(None));
    others_run_beside(|| assert!(task.wait(None)));
    others_run_beside(|| assert!(group.join(None)));
}
