//! OS threads for what blocks and cannot be made not to.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::Duration;

use crate::hub;

/// A worker that has had nothing to do for this long ends.
const IDLE: Duration = Duration::from_secs(5);
/// The workers of the [shared](ThreadPool::shared) pool at most.
const SHARED_SIZE: usize = 64;

/// OS threads that run blocking functions while their callers, greenlets of any hub, merely wait
/// (gevent's `ThreadPool`).
///
/// Threads are started when there is work and no idle one, up to the pool's size; idle ones end
/// after five seconds. Clones are the same pool.
///
/// ```
/// let pool = greenlet::pool::ThreadPool::new(4);
/// let sum: u64 = pool.run(|| (1..=1000).sum()).unwrap();
/// assert_eq!(sum, 500500);
/// ```
#[derive(Clone)]
pub struct ThreadPool {
    shared: Arc<Shared>,
}

struct Shared {
    size: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    workers: usize,
    idle: usize,
}

type Job = Box<dyn FnOnce() + Send>;

impl ThreadPool {
    /// A pool of at most `size` threads; none is started before there is work.
    ///
    /// # Panics
    ///
    /// If the size is zero.
    pub fn new(size: usize) -> Self {
        assert!(size > 0, "a thread pool of size 0 runs nothing");
        Self { shared: Arc::new(Shared { size, state: Mutex::default(), work: Condvar::new() }) }
    }

    /// The process's own pool, which name lookups use: up to 64 threads.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ThreadPool> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(SHARED_SIZE))
    }

    /// Runs `f` on a thread of the pool; the calling greenlet waits, others go on.
    ///
    /// If the waiting greenlet is interrupted, `f` runs to its end all the same and its result is
    /// dropped on the pool's thread.
    ///
    /// # Errors
    ///
    /// If the pool has no thread and the system gives it none.
    ///
    /// # Panics
    ///
    /// If `f` does.
    #[track_caller]
    pub fn run<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> io::Result<R> {
        let answer = Arc::new(Mutex::new(None));
        let mut posted = Ok(());
        let start = |waker: hub::RemoteWaker| {
            let answer = answer.clone();
            posted = self.post(Box::new(move || {
                let result = catch_unwind(AssertUnwindSafe(f));
                *lock(&answer) = Some(result);
                waker.wake();
                // Where nobody waits any more, this drops the answer, whatever that does.
                if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(answer))) {
                    std::mem::forget(second);
                }
            }));
            posted.is_ok()
        };
        hub::here().wait_remotely(start, None, "a thread of a pool");
        posted?;
        let result = lock(&answer).take().expect("the thread leaves its result before it wakes the greenlet");
        Ok(result.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    fn post(&self, job: Job) -> io::Result<()> {
        let mut state = lock(&self.shared.state);
        state.jobs.push_back(job);
        if state.jobs.len() <= state.idle {
            self.shared.work.notify_one();
        } else if state.workers < self.shared.size {
            let shared = self.shared.clone();
            match thread::Builder::new().name("greenlet-pool".into()).spawn(move || shared.work()) {
                Ok(_) => state.workers += 1,
                Err(error) if state.workers == 0 => {
                    state.jobs.pop_back();
                    return Err(error);
                }
                // The others will come to it.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = lock(&self.state);
                continue;
            }
            state.idle += 1;
            let (guard, wait) =
                self.work.wait_timeout(state, IDLE).unwrap_or_else(|poisoned| poisoned.into_inner());
            state = guard;
            state.idle -= 1;
            if wait.timed_out() && state.jobs.is_empty() {
                state.workers -= 1;
                return;
            }
        }
    }
}

/// Jobs catch their panics, so nothing panics while it holds a lock of this file.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl std::fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("ThreadPool")
            .field("size", &self.shared.size)
            .field("workers", &state.workers)
            .field("jobs", &state.jobs.len())
            .finish()
    }
}
