//! The way of tokio's runtime for one thread.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking, unconstrained, yield_now};
use tokio::time::{sleep, timeout};

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::Run;

pub const TOKIO: Contestant = Contestant {
    name: "tokio",
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
        (SLEEP_1M, |run| repeat(run, || sleep_all(1_000_000))),
    ],
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs what `once` makes, again and again.
fn repeat<F: Future<Output = ()>>(run: &mut Run, once: impl Fn() -> F) {
    let runtime = runtime();
    run.iter(|| runtime.block_on(once()));
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

async fn join(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("it does not panic");
    }
}

fn spawn_and_join(run: &mut Run, count: u64) {
    repeat(run, async || {
        let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(async move { n })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it does not panic");
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
    repeat(run, async || join((0..count).map(|_| spawn(yield_often())).collect()).await);
}

fn queue(run: &mut Run) {
    repeat(run, async || {
        let (there, mut arrives) = mpsc::channel(1);
        let (back, mut returns) = mpsc::channel(1);
        let ping = spawn(async move {
            for n in 0..ROUNDS {
                there.send(n).await.expect("its receiver is there");
                black_box(returns.recv().await);
            }
        });
        let pong = spawn(async move {
            while let Some(n) = arrives.recv().await {
                back.send(n).await.expect("its receiver is there");
            }
        });
        join(vec![ping, pong]).await;
    });
}

fn semaphore(run: &mut Run) {
    repeat(run, async || {
        let permits = Arc::new(Semaphore::new(10));
        let taker = || {
            let permits = permits.clone();
            spawn(async move {
                for _ in 0..TURNS {
                    let _permit = permits.acquire().await.expect("it is not closed");
                    yield_now().await;
                }
            })
        };
        join((0..100).map(|_| taker()).collect()).await;
    });
}

fn mutex(run: &mut Run) {
    repeat(run, async || {
        let count = Arc::new(Mutex::new(0));
        let taker = || {
            let count = count.clone();
            spawn(async move {
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
    repeat(run, async || {
        let (event, arrivals) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let waiter = |_| {
            let (event, arrivals) = (event.clone(), arrivals.clone());
            spawn(async move {
                for _ in 0..EVENTS {
                    if all_are_here(1 + arrivals.fetch_add(1, Ordering::Relaxed)) {
                        event.notify_waiters();
                    } else {
                        event.notified().await;
                    }
                }
            })
        };
        join((0..=WAITERS).map(waiter).collect()).await;
    });
}

fn timeouts(run: &mut Run) {
    repeat(run, async || {
        let task = spawn(async {
            for _ in 0..TIMEOUTS {
                timeout(MINUTE, yield_now()).await.expect("it is soon over");
            }
        });
        join(vec![task]).await;
    });
}

/// A timer is set when it is polled for the first time. Without `unconstrained` only the first few are.
fn timers(run: &mut Run, count: u64) {
    repeat(run, async || {
        let mut timers: Vec<_> = (0..count).map(|n| Box::pin(sleep(MINUTE + nap(n)))).collect();
        let set = poll_fn(|context| {
            assert!(timers.iter_mut().all(|timer| timer.as_mut().poll(context).is_pending()));
            Poll::Ready(())
        });
        unconstrained(set).await;
    });
}

async fn sleep_all(count: u64) {
    join((0..count).map(|n| spawn(async move { sleep(nap(n)).await })).collect()).await;
}

fn over(run: &mut Run, count: u64) {
    let runtime = runtime();
    over_the_longest(run, || runtime.block_on(sleep_all(count)));
}

fn thread(run: &mut Run) {
    let (answer, answers) = mpsc::unbounded_channel();
    let (ask, thread) = echo_thread(move |n| answer.send(n).expect("its receiver is there"));
    calls(run, move |n| ask.send(n).expect("the thread is there"), answers);
    thread.join().expect("it does not panic");
}

fn scheduler(run: &mut Run) {
    let (ask, mut asked) = mpsc::unbounded_channel();
    let (answer, answers) = mpsc::unbounded_channel();
    let echo = async move {
        while let Some(n) = asked.recv().await {
            answer.send(n).expect("its receiver is there");
        }
    };
    let thread = std::thread::spawn(|| runtime().block_on(echo));
    calls(run, move |n| ask.send(n).expect("the thread is there"), answers);
    thread.join().expect("it does not panic");
}

/// Asks and waits for the answer, again and again. At the end nobody can ask any more.
fn calls(run: &mut Run, ask: impl Fn(u64), mut answers: mpsc::UnboundedReceiver<u64>) {
    let runtime = runtime();
    run.iter(|| {
        runtime.block_on(async {
            for n in 0..CALLS {
                ask(n);
                assert_eq!(answers.recv().await, Some(n));
            }
        });
    });
}

fn pool(run: &mut Run) {
    repeat(run, async || {
        for n in 0..CALLS {
            assert_eq!(spawn_blocking(move || n).await.expect("it does not panic"), n);
        }
    });
}
