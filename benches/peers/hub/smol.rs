//! The way of smol, with the executor for one thread.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use event_listener::Event;
use smol::future::{or, yield_now};
use smol::lock::{Mutex, Semaphore};
use smol::{LocalExecutor, Task, Timer, channel};

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::Run;

pub const SMOL: Contestant = Contestant {
    name: "smol",
    ways: &[
        (WAVES, |run| spawn_and_join(run, 1000)),
        (CROWD, |run| spawn_and_join(run, 100_000)),
        (YIELD_2, |run| yields(run, 2)),
        (YIELD_1000, |run| yields(run, 1000)),
        (QUEUE, queue),
        (CHANNEL, queue),
        (SEMAPHORE, semaphore),
        (MUTEX, mutex),
        (EVENT, event),
        (TIMEOUT, timeouts),
        (TIMERS_100K, |run| timers(run, 100_000)),
        (TIMERS_1M, |run| timers(run, 1_000_000)),
        (THREAD, thread),
        (SCHEDULER, scheduler),
        (POOL, pool),
        (SLEEP_100K, |run| over(run, 100_000)),
        (SLEEP_1M, |run| repeat(run, async |executor| sleep_all(executor, 1_000_000).await)),
    ],
};

/// Runs what `once` does, again and again.
fn repeat(run: &mut Run, once: impl AsyncFn(&LocalExecutor<'static>)) {
    let executor = LocalExecutor::new();
    run.iter(|| smol::block_on(executor.run(once(&executor))));
}

async fn join(tasks: Vec<Task<()>>) {
    for task in tasks {
        task.await;
    }
}

fn spawn_and_join(run: &mut Run, count: u64) {
    repeat(run, async |executor| {
        let tasks: Vec<_> = (0..count).map(|n| executor.spawn(async move { n })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        black_box(sum);
    });
}

async fn yield_often() {
    for _ in 0..YIELDS {
        yield_now().await;
    }
}

fn yields(run: &mut Run, count: u64) {
    repeat(run, async |executor| {
        join((0..count).map(|_| executor.spawn(yield_often())).collect()).await;
    });
}

fn queue(run: &mut Run) {
    repeat(run, async |executor| {
        let (there, arrives) = channel::bounded(1);
        let (back, returns) = channel::bounded(1);
        let ping = executor.spawn(async move {
            for n in 0..ROUNDS {
                there.send(n).await.expect("its receiver is there");
                black_box(returns.recv().await).expect("its sender is there");
            }
        });
        let pong = executor.spawn(async move {
            while let Ok(n) = arrives.recv().await {
                back.send(n).await.expect("its receiver is there");
            }
        });
        join(vec![ping, pong]).await;
    });
}

fn semaphore(run: &mut Run) {
    repeat(run, async |executor| {
        let permits = Rc::new(Semaphore::new(10));
        let taker = || {
            let permits = permits.clone();
            executor.spawn(async move {
                for _ in 0..TURNS {
                    let _permit = permits.acquire().await;
                    yield_now().await;
                }
            })
        };
        join((0..100).map(|_| taker()).collect()).await;
    });
}

fn mutex(run: &mut Run) {
    repeat(run, async |executor| {
        let count = Rc::new(Mutex::new(0));
        let taker = || {
            let count = count.clone();
            executor.spawn(async move {
                for _ in 0..TURNS {
                    let mut count = count.lock().await;
                    yield_now().await;
                    *count += 1;
                }
            })
        };
        join((0..100).map(|_| taker()).collect()).await;
    });
}

fn event(run: &mut Run) {
    repeat(run, async |executor| {
        let (event, arrivals) = (Rc::new(Event::new()), Rc::new(Cell::new(0)));
        let waiter = |_| {
            let (event, arrivals) = (event.clone(), arrivals.clone());
            executor.spawn(async move {
                for _ in 0..EVENTS {
                    arrivals.set(arrivals.get() + 1);
                    if all_are_here(arrivals.get()) {
                        event.notify(usize::MAX);
                    } else {
                        event.listen().await;
                    }
                }
            })
        };
        join((0..=WAITERS).map(waiter).collect()).await;
    });
}

fn timeouts(run: &mut Run) {
    repeat(run, async |executor| {
        let task = executor.spawn(async {
            for _ in 0..TIMEOUTS {
                let late = async {
                    Timer::after(MINUTE).await;
                    unreachable!("it is soon over");
                };
                or(yield_now(), late).await;
            }
        });
        join(vec![task]).await;
    });
}

/// A timer is set when it is polled for the first time.
fn timers(run: &mut Run, count: u64) {
    repeat(run, async |_| {
        let mut timers: Vec<_> = (0..count).map(|n| Timer::after(MINUTE + nap(n))).collect();
        poll_fn(|context| {
            assert!(timers.iter_mut().all(|timer| Pin::new(timer).poll(context).is_pending()));
            Poll::Ready(())
        })
        .await;
    });
}

async fn sleep_all(executor: &LocalExecutor<'static>, count: u64) {
    let sleeper = |n| executor.spawn(async move { _ = Timer::after(nap(n)).await });
    join((0..count).map(sleeper).collect()).await;
}

fn over(run: &mut Run, count: u64) {
    let executor = LocalExecutor::new();
    over_the_longest(run, || smol::block_on(executor.run(sleep_all(&executor, count))));
}

fn thread(run: &mut Run) {
    let (answer, answers) = channel::unbounded();
    let (ask, thread) = echo_thread(move |n| answer.try_send(n).expect("its receiver is there"));
    calls(run, move |n| ask.send(n).expect("the thread is there"), &answers);
    thread.join().expect("it does not panic");
}

fn scheduler(run: &mut Run) {
    let (ask, asked) = channel::unbounded();
    let (answer, answers) = channel::unbounded();
    let echo = async move {
        while let Ok(n) = asked.recv().await {
            answer.try_send(n).expect("its receiver is there");
        }
    };
    let thread = std::thread::spawn(|| smol::block_on(echo));
    calls(run, move |n| ask.try_send(n).expect("the thread is there"), &answers);
    thread.join().expect("it does not panic");
}

/// Asks and waits for the answer, again and again. At the end nobody can ask any more.
fn calls(run: &mut Run, ask: impl Fn(u64), answers: &channel::Receiver<u64>) {
    run.iter(|| {
        smol::block_on(async {
            for n in 0..CALLS {
                ask(n);
                assert_eq!(answers.recv().await, Ok(n));
            }
        });
    });
}

fn pool(run: &mut Run) {
    repeat(run, async |_| {
        for n in 0..CALLS {
            assert_eq!(smol::unblock(move || n).await, n);
        }
    });
}
