//! The way of may, with one worker. It is an order of magnitude short of a hundred thousand coroutines:
//! each takes two memory mappings, and Linux allows 65 530.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use may::coroutine::{JoinHandle, yield_now};
use may::go;
use may::sync::{Mutex, Semphore, SyncFlag, mpsc};

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::Run;

pub const MAY: Contestant = Contestant {
    name: "may",
    ways: &[
        (WAVES, |run| spawn_and_join(run, 1000)),
        (YIELD_2, |run| yields(run, 2)),
        (YIELD_1000, |run| yields(run, 1000)),
        (QUEUE, queue),
        (CHANNEL, queue),
        (SEMAPHORE, semaphore),
        (MUTEX, mutex),
        (EVENT, event),
        (THREAD, thread),
    ],
};

/// Runs `once` in a coroutine, again and again.
fn repeat(run: &mut Run, once: fn(u64), argument: u64) {
    static ONE_WORKER: Once = Once::new();
    ONE_WORKER.call_once(|| {
        may::config().set_workers(1).set_worker_pin(false);
    });
    run.iter(|| go!(move || once(argument)).join().expect("it does not panic"));
}

fn join(coroutines: Vec<JoinHandle<()>>) {
    for coroutine in coroutines {
        coroutine.join().expect("it does not panic");
    }
}

fn spawn_and_join(run: &mut Run, count: u64) {
    let once = |count| {
        let coroutines: Vec<_> = (0..count).map(|n| go!(move || n)).collect();
        let results = coroutines.into_iter().map(|coroutine| coroutine.join().expect("it does not panic"));
        black_box(results.sum::<u64>());
    };
    repeat(run, once, count);
}

fn yields(run: &mut Run, count: u64) {
    let once = |count| join((0..count).map(|_| go!(|| (0..YIELDS).for_each(|_| yield_now()))).collect());
    repeat(run, once, count);
}

/// Its queues have no bounds. The item is the only one all the same.
fn queue(run: &mut Run) {
    let once = |rounds| {
        let (there, arrives) = mpsc::channel();
        let (back, returns) = mpsc::channel();
        let ping = go!(move || {
            for n in 0..rounds {
                there.send(n).expect("its receiver is there");
                black_box(returns.recv()).expect("its sender is there");
            }
        });
        let pong = go!(move || {
            while let Ok(n) = arrives.recv() {
                back.send(n).expect("its receiver is there");
            }
        });
        join(vec![ping, pong]);
    };
    repeat(run, once, ROUNDS);
}

fn semaphore(run: &mut Run) {
    let once = |turns| {
        let permits = Arc::new(Semphore::new(10));
        let taker = |_| {
            let permits = permits.clone();
            go!(move || {
                for _ in 0..turns {
                    permits.wait();
                    yield_now();
                    permits.post();
                }
            })
        };
        join((0..100).map(taker).collect());
    };
    repeat(run, once, TURNS);
}

fn mutex(run: &mut Run) {
    let once = |turns| {
        let count = Arc::new(Mutex::new(0));
        let taker = |_| {
            let count = count.clone();
            go!(move || {
                for _ in 0..turns {
                    let mut count = count.lock().expect("it is not poisoned");
                    yield_now();
                    *count += 1;
                }
            })
        };
        join((0..100).map(taker).collect());
    };
    repeat(run, once, TURNS);
}

/// Its event can be set once, so there is one for each time.
fn event(run: &mut Run) {
    let once = |times| {
        let flags: Arc<[SyncFlag]> = (0..times).map(|_| SyncFlag::new()).collect();
        let arrivals = Arc::new(AtomicU64::new(0));
        let waiter = |_| {
            let (flags, arrivals) = (flags.clone(), arrivals.clone());
            go!(move || {
                for flag in flags.iter() {
                    if all_are_here(1 + arrivals.fetch_add(1, Ordering::Relaxed)) {
                        flag.fire();
                    } else {
                        flag.wait();
                    }
                }
            })
        };
        join((0..=WAITERS).map(waiter).collect());
    };
    repeat(run, once, EVENTS);
}

fn thread(run: &mut Run) {
    let once = |calls| {
        let (answer, answers) = mpsc::channel();
        let (ask, thread) = echo_thread(move |n| answer.send(n).expect("its receiver is there"));
        for n in 0..calls {
            ask.send(n).expect("the thread is there");
            assert_eq!(answers.recv(), Ok(n));
        }
        drop(ask);
        thread.join().expect("it does not panic");
    };
    repeat(run, once, CALLS);
}
