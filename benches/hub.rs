//! The scheduler: spawning, yielding, queues, timers.
//!
//! Figures are per element: a spawned task, a yield, a message, a sleeper.

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use greenlet::queue::Queue;
use greenlet::sync::Semaphore;
use greenlet::{join_all, sleep_until, spawn, yield_now};

fn group<'a>(c: &'a mut Criterion, name: &str, elements: u64) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(elements));
    group
}

fn spawn_and_join(c: &mut Criterion) {
    for tasks in [1_000, 100_000] {
        let mut group = group(c, "spawn + join", tasks);
        group.sample_size(10);
        group.bench_function(format!("{tasks} at a time"), |b| {
            b.iter(|| {
                let tasks: Vec<_> = (0..tasks).map(|n| spawn(move || n)).collect();
                tasks.into_iter().map(|task| task.join().expect("it does not panic")).sum::<u64>()
            })
        });
        group.finish();
    }
}

fn yielding(c: &mut Criterion) {
    const YIELDS: u64 = 100;
    for tasks in [1, 2, 1_000] {
        let mut group = group(c, "yield", tasks * YIELDS);
        group.bench_function(format!("among {tasks}"), |b| {
            b.iter(|| {
                let tasks: Vec<_> =
                    (0..tasks).map(|_| spawn(|| (0..YIELDS).for_each(|_| yield_now()))).collect();
                join_all(&tasks, None).len()
            })
        });
        group.finish();
    }
}

fn queue(c: &mut Criterion) {
    const ROUNDS: u64 = 10_000;
    let mut group = group(c, "queue", 2 * ROUNDS);
    group.bench_function("ping-pong", |b| {
        b.iter(|| {
            let (there, back) = (Rc::new(Queue::bounded(1)), Rc::new(Queue::bounded(1)));
            let ponger = spawn({
                let (there, back) = (there.clone(), back.clone());
                move || there.iter().for_each(|n| back.put(n).expect("it is not shut down"))
            });
            for n in 0..ROUNDS {
                there.put(n).expect("it is not shut down");
                black_box(back.get().expect("it is not shut down"));
            }
            there.shutdown();
            ponger.join().expect("it does not panic");
        })
    });
    group.finish();
}

fn semaphore(c: &mut Criterion) {
    const TASKS: u64 = 100;
    const TURNS: u64 = 100;
    let mut group = group(c, "semaphore", TASKS * TURNS);
    group.bench_function("100 tasks, 10 permits, a yield inside", |b| {
        b.iter(|| {
            let permits = Rc::new(Semaphore::new(10));
            let turns = || {
                let permits = permits.clone();
                spawn(move || {
                    for _ in 0..TURNS {
                        let _permit = permits.acquire();
                        yield_now();
                    }
                })
            };
            let tasks: Vec<_> = (0..TASKS).map(|_| turns()).collect();
            join_all(&tasks, None).len()
        })
    });
    group.finish();
}

fn timers(c: &mut Criterion) {
    const SLEEPERS: u64 = 10_000;
    let mut group = group(c, "timers", SLEEPERS);
    group.sample_size(10);
    group.bench_function("set and fire, 10000 sleepers over 10 ms", |b| {
        b.iter(|| {
            let start = Instant::now();
            let sleeper = |n: u64| {
                let until = start + Duration::from_micros(n * 7919 % SLEEPERS);
                spawn(move || sleep_until(until))
            };
            let tasks: Vec<_> = (0..SLEEPERS).map(sleeper).collect();
            join_all(&tasks, None).len()
        })
    });
    group.finish();
}

criterion_group!(benches, spawn_and_join, yielding, queue, semaphore, timers);
criterion_main!(benches);
