//! This crate's way.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use greenlet::pool::ThreadPool;
use greenlet::queue::Queue;
use greenlet::sync::{Event, Mutex, Semaphore};
use greenlet::threads;
use greenlet::{GreenThread, Timeout, sleep, spawn, with_timeout, yield_now};

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
        (CHANNEL, channel),
        (SEMAPHORE, semaphore),
        (MUTEX, mutex),
        (EVENT, event),
        (TIMEOUT, timeout),
        (TIMERS_100K, |run| timers(run, 100_000)),
        (TIMERS_1M, |run| timers(run, 1_000_000)),
        (THREAD, thread),
        (SCHEDULER, scheduler),
        (POOL, pool),
        (SLEEP_100K, |run| over_the_longest(run, || sleep_all(100_000))),
        (SLEEP_1M, |run| run.iter(|| sleep_all(1_000_000))),
    ],
};

fn join(tasks: Vec<GreenThread<()>>) {
    for task in tasks {
        task.join().expect("it does not panic");
    }
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

/// An item goes there and back through two of what `pair` makes: a way to put, and a way to get.
fn ping_pong<Put, Get>(run: &mut Run, pair: impl Fn() -> (Put, Get))
where
    Put: Fn(u64) + 'static,
    Get: Fn() -> u64 + 'static,
{
    run.iter(|| {
        let ((send, arrives), (send_back, returns)) = (pair(), pair());
        let ping = spawn(move || {
            for n in 0..ROUNDS {
                send(n);
                black_box(returns());
            }
        });
        let pong = spawn(move || (0..ROUNDS).for_each(|_| send_back(arrives())));
        join(vec![ping, pong]);
    });
}

fn queue(run: &mut Run) {
    ping_pong(run, || {
        let putter = Rc::new(Queue::bounded(1));
        let getter = putter.clone();
        (
            move |n| putter.put(n).expect("it is not shut down"),
            move || getter.get().expect("it is not shut down"),
        )
    });
}

fn channel(run: &mut Run) {
    ping_pong(run, || {
        let (sender, receiver) = threads::sync_channel(1);
        (
            move |n| sender.send(n).expect("its receiver is there"),
            move || receiver.recv().expect("its sender is there"),
        )
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
                with_timeout(MINUTE, yield_now).expect("it is soon over");
            }
        });
        join(vec![task]);
    });
}

fn timers(run: &mut Run, count: u64) {
    let start = |n| Timeout::start_new(MINUTE + nap(n)).expect("this build can unwind");
    run.iter(|| drop((0..count).map(start).collect::<Vec<_>>()));
}

fn sleep_all(count: u64) {
    join((0..count).map(|n| spawn(move || sleep(nap(n)))).collect());
}

/// With a hub, which is made on first use: without one, a wait for another thread blocks this one.
fn with_hub() {
    yield_now();
}

fn thread(run: &mut Run) {
    let (answer, answers) = threads::channel();
    let (ask, thread) = echo_thread(move |n| answer.send(n).expect("its receiver is there"));
    calls(run, move |n| ask.send(n).expect("the thread is there"), &answers);
    thread.join().expect("it does not panic");
}

fn scheduler(run: &mut Run) {
    let (ask, asked) = threads::channel();
    let (answer, answers) = threads::channel();
    let echo = move || asked.iter().for_each(|n: u64| answer.send(n).expect("its receiver is there"));
    let thread = std::thread::spawn(move || spawn(echo).join());
    calls(run, move |n| ask.send(n).expect("the thread is there"), &answers);
    thread.join().expect("it does not panic").expect("nor does its task");
}

/// Asks and waits for the answer, again and again. At the end nobody can ask any more.
fn calls(run: &mut Run, ask: impl Fn(u64), answers: &threads::Receiver<u64>) {
    with_hub();
    run.iter(|| {
        for n in 0..CALLS {
            ask(n);
            assert_eq!(answers.recv(), Ok(n));
        }
    });
}

fn pool(run: &mut Run) {
    with_hub();
    let pool = ThreadPool::new(1);
    run.iter(|| {
        for n in 0..CALLS {
            assert_eq!(pool.run(move || n).expect("there is a thread"), n);
        }
    });
}
