//! This crate's way.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::queue::Queue;
use greenlet::sync::{Event, Mutex, Semaphore};
use greenlet::threads;
use greenlet::{GreenThread, join_all, sleep, spawn, with_timeout, yield_now};

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::Run;

pub const GREENLETS: Contestant = Contestant {
    name: "greenlet",
    ways: &[
        (WAVES, |run| spawn_and_join(run, 1000)),
        (CROWD, |run| spawn_and_join(run, 100_000)),
        (YIELD_2, |run| yields(run, 2)),
        (YIELD_1000, |run| yields(run, 1000)),
        (QUEUE, queue),
        (SEMAPHORE, semaphore),
        (MUTEX, mutex),
        (EVENT, event),
        (TIMEOUT, timeout),
        (SLEEP, sleepers),
        (THREAD, thread),
    ],
};

fn join(tasks: Vec<GreenThread<()>>) {
    assert_eq!(join_all(&tasks, None).len(), tasks.len());
}

fn spawn_and_join(run: &mut Run, count: u64) {
    run.iter(|| {
        let tasks: Vec<_> = (0..count).map(|n| spawn(move || n)).collect();
        tasks.into_iter().map(|task| task.join().expect("it does not panic")).sum::<u64>()
    });
}

fn yields(run: &mut Run, count: u64) {
    run.iter(|| join((0..count).map(|_| spawn(|| (0..YIELDS).for_each(|_| yield_now()))).collect()));
}

fn queue(run: &mut Run) {
    run.iter(|| {
        let (there, back) = (Rc::new(Queue::bounded(1)), Rc::new(Queue::bounded(1)));
        let ping = spawn({
            let (there, back) = (there.clone(), back.clone());
            move || {
                for n in 0..ROUNDS {
                    there.put(n).expect("it is not shut down");
                    black_box(back.get().expect("it is not shut down"));
                }
            }
        });
        let pong = spawn(move || {
            for _ in 0..ROUNDS {
                let n = there.get().expect("it is not shut down");
                back.put(n).expect("it is not shut down");
            }
        });
        join(vec![ping, pong]);
    });
}

fn semaphore(run: &mut Run) {
    run.iter(|| {
        let permits = Rc::new(Semaphore::new(10));
        let taker = || {
            let permits = permits.clone();
            spawn(move || {
                for _ in 0..TURNS {
                    let _permit = permits.acquire();
                    yield_now();
                }
            })
        };
        join((0..100).map(|_| taker()).collect());
    });
}

fn mutex(run: &mut Run) {
    run.iter(|| {
        let count = Rc::new(Mutex::new(0));
        let taker = || {
            let count = count.clone();
            spawn(move || {
                for _ in 0..TURNS {
                    let mut count = count.lock();
                    yield_now();
                    *count += 1;
                }
            })
        };
        join((0..100).map(|_| taker()).collect());
    });
}

fn event(run: &mut Run) {
    run.iter(|| {
        let (event, arrivals) = (Rc::new(Event::new()), Rc::new(Cell::new(0)));
        let waiter = |_| {
            let (event, arrivals) = (event.clone(), arrivals.clone());
            spawn(move || {
                for _ in 0..EVENTS {
                    arrivals.set(arrivals.get() + 1);
                    if all_are_here(arrivals.get()) {
                        event.set();
                        event.clear();
                    } else {
                        event.wait();
                    }
                }
            })
        };
        join((0..=WAITERS).map(waiter).collect());
    });
}

fn timeout(run: &mut Run) {
    run.iter(|| {
        let task = spawn(|| {
            for _ in 0..TIMEOUTS {
                with_timeout(Duration::from_secs(60), yield_now).expect("it is soon over");
            }
        });
        join(vec![task]);
    });
}

fn sleepers(run: &mut Run) {
    run.custom(|iterations, _| {
        let once = |_| {
            let start = Instant::now();
            join((0..SLEEPERS).map(|n| spawn(move || sleep(nap(n)))).collect());
            start.elapsed() - Duration::from_millis(LONGEST_MS)
        };
        (0..iterations).map(once).sum()
    });
}

fn thread(run: &mut Run) {
    let (answer, answers) = threads::channel();
    let (ask, thread) = echo_thread(move |n| answer.send(n).expect("its receiver is there"));
    run.iter(|| {
        for n in 0..CALLS {
            ask.send(n).expect("the thread is there");
            assert_eq!(answers.recv(), Ok(n));
        }
    });
    drop(ask);
    thread.join().expect("it does not panic");
}
