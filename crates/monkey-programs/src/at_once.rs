//! Many things at the same time, and how many OS threads that takes.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use greenlet::{iwait, spawn};

/// What has become of many pieces of work that were begun together. Prints as one line.
#[derive(Debug)]
pub struct AtOnce {
    /// How many there were.
    pub count: usize,
    /// From when the first one began until the last one was done.
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

impl AtOnce {
    /// Prepares so many, each in a greenlet; and when all are ready, does the work of all.
    ///
    /// # Panics
    ///
    /// If one of them does.
    pub fn run<S: 'static>(
        count: usize,
        prepare: impl Fn(usize) -> S + Clone + 'static,
        work: impl Fn(&mut S) + Clone + 'static,
    ) -> Self {
        let inside = Rc::new(Inside::default());
        // Of std, as unmodified programs have it.
        let ready = Arc::new(Barrier::new(count));
        let task = |n| {
            let (prepare, work, inside, ready) =
                (prepare.clone(), work.clone(), inside.clone(), ready.clone());
            spawn(move || {
                let mut state = prepare(n);
                ready.wait();
                let begun = Instant::now();
                inside.during(|| work(&mut state));
                (begun, Instant::now(), state)
            })
        };
        let tasks: Vec<_> = (0..count).map(task).collect();
        // One that panics is not waited for by way of those who wait for it. What they leave is dropped when all are
        // done, for to close a connection is work as well.
        let ends: Vec<_> = iwait(tasks).map(|task| task.join().expect("its work succeeds")).collect();
        let begun = ends.iter().map(|end| end.0).min();
        let done = ends.iter().map(|end| end.1).max();
        let took = begun.zip(done).map_or(Duration::ZERO, |(begun, done)| done - begun);
        Self { count, took, most: inside.most.get(), threads: inside.threads.get() }
    }
}

impl Inside {
    fn during(&self, work: impl FnOnce()) {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        work();
        // The first one to be done looks: nobody is yet.
        if self.threads.get() == 0 {
            self.threads.set(threads());
        }
        self.now.set(self.now.get() - 1);
    }
}

/// How many OS threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

impl fmt::Display for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, took, most, threads } = self;
        write!(f, "{count} in {took:.0?}, {most} at the same time, OS threads: {threads}")
    }
}
