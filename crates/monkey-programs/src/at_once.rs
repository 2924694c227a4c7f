//! Many things at the same time, and how many OS threads that takes.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use greenlet::{GreenThread, Greenlet};

/// Starts a greenlet with thread-local storage of its own.
///
/// Code that was written for threads may count on being alone on its own. The runtime of tokio, on which `postgres`
/// stands, is such code: it notes in a thread-local that it runs, and refuses to be run a second time meanwhile.
pub fn go<R: 'static>(body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
    Greenlet::builder().own_tls().spawn(body)
}

/// What has become of many pieces of work that were begun together. Prints as one line.
#[derive(Debug)]
pub struct AtOnce<R> {
    /// What each of them has returned.
    pub results: Vec<R>,
    /// From when all could begin until all were done.
    pub took: Duration,
    /// How many were in the midst of it at the same time.
    pub most: usize,
    /// How many OS threads this process had then.
    pub threads: usize,
}

/// Counts those who are in the midst of it.
#[derive(Default)]
struct Inside {
    now: Cell<usize>,
    most: Cell<usize>,
    threads: Cell<usize>,
}

impl<R: 'static> AtOnce<R> {
    /// Prepares so many, each in a greenlet; and when all are ready, does the work of all.
    ///
    /// # Panics
    ///
    /// If one of them does.
    pub fn run<S: 'static>(
        count: usize,
        prepare: impl Fn(usize) -> S + Clone + 'static,
        work: impl Fn(&mut S) -> R + Clone + 'static,
    ) -> Self {
        let inside = Rc::new(Inside::default());
        // Of std, as unmodified programs have it. The one too many is who takes the time.
        let (ready, done) = (Arc::new(Barrier::new(count + 1)), Arc::new(Barrier::new(count + 1)));
        let tasks: Vec<_> = (0..count)
            .map(|n| {
                let (prepare, work) = (prepare.clone(), work.clone());
                let (inside, ready, done) = (inside.clone(), ready.clone(), done.clone());
                go(move || {
                    let mut state = prepare(n);
                    ready.wait();
                    let result = inside.during(|| work(&mut state));
                    done.wait();
                    result
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        done.wait();
        let took = start.elapsed();
        let results = tasks.into_iter().map(|task| task.join().expect("its work succeeds")).collect();
        Self { results, took, most: inside.most.get(), threads: inside.threads.get() }
    }
}

impl Inside {
    fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        let result = work();
        // The first one to be done looks: nobody is yet.
        if self.threads.get() == 0 {
            self.threads.set(threads());
        }
        self.now.set(self.now.get() - 1);
        result
    }
}

/// How many OS threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

impl<R> fmt::Display for AtOnce<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { results, took, most, threads } = self;
        write!(f, "{} in {took:.0?}, {most} at the same time, OS threads: {threads}", results.len())
    }
}
