//! OS threads for what blocks and cannot be made not to.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::Job;
use super::job::Promise;
use crate::greenlet::thread::on_thread;
use crate::hub;
use crate::lock::lock;
use crate::spin::Habit;
use crate::task::TaskError;

/// A worker that has had nothing to do for this long ends.
const IDLE: Duration = Duration::from_secs(5);
/// The workers of the [shared](ThreadPool::shared) pool at most.
const SHARED_SIZE: usize = 64;

/// OS threads that run blocking functions while those who want the results, greenlets of any hub,
/// merely wait (gevent's `ThreadPool`).
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
    /// Jobs run, and are dropped, when it is not held.
    state: Mutex<State>,
    work: Condvar,
    /// There may be a job for the worker that looks. Set when the lock is free: it would run into it.
    called: AtomicBool,
    /// Whether the workers take signals that are sent to the process.
    takes_signals: bool,
}

struct State {
    size: usize,
    jobs: VecDeque<Work>,
    workers: usize,
    /// Workers that sleep until there is work.
    idle: usize,
    /// A worker is awake, and looks for work before it sleeps.
    looks: bool,
    /// Whether work comes before a sleep would be over.
    spins: Habit,
    /// Workers of an older generation end when they have done what they do.
    generation: u64,
}

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The pool whose worker this thread is.
    static OWN: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

impl ThreadPool {
    /// A pool of at most `size` threads; none is started before there is work.
    ///
    /// # Panics
    ///
    /// If the size is zero.
    pub fn new(size: usize) -> Self {
        Self::with(size, true)
    }

    fn with(size: usize, takes_signals: bool) -> Self {
        check(size);
        let state = State {
            size,
            jobs: VecDeque::new(),
            workers: 0,
            idle: 0,
            looks: false,
            spins: Habit::default(),
            generation: 0,
        };
        let (work, called) = (Condvar::new(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { state: Mutex::new(state), work, called, takes_signals }) }
    }

    /// The process's own pool, which name lookups use: up to 64 threads. After a
    /// [fork](crate::hub::after_fork) it is another one: threads are not inherited.
    ///
    /// Its threads, of which the program need not know, leave signals to those that it has made: they
    /// block all that are sent to the process. A program that is started on one of them inherits that.
    pub fn shared() -> &'static Self {
        /// The pool, and after how many forks it was made. No lock, which a fork might find taken.
        static SHARED: AtomicPtr<(u32, ThreadPool)> = AtomicPtr::new(ptr::null_mut());
        let forks = hub::forks();
        loop {
            let current = SHARED.load(Ordering::Acquire);
            // SAFETY: never freed once it is there.
            if let Some((made_after, pool)) = unsafe { current.as_ref() }
                && *made_after == forks
            {
                return pool;
            }
            let new = Box::into_raw(Box::new((forks, Self::with(SHARED_SIZE, false))));
            if SHARED.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: just made, and nobody has seen it.
                drop(unsafe { Box::from_raw(new) });
            }
        }
    }

    /// Has a thread of the pool call `f`, and returns at once. Where all threads are busy, the job
    /// queues.
    ///
    /// On a thread of this same pool `f` is called here and now: to wait for another one of them might
    /// be to wait for ever. A kill or a timeout of the caller that is raised where `f` waits is then the job's error.
    ///
    /// ```
    /// let pool = greenlet::pool::ThreadPool::new(2);
    /// let jobs = [1, 2, 3].map(|n| pool.spawn(move || n * n));
    /// assert_eq!(jobs.map(|job| job.join().unwrap()), [1, 4, 9]);
    /// ```
    pub fn spawn<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> Job<R> {
        self.start(f).unwrap_or_else(Job::refused)
    }

    /// Runs `f` on a thread of the pool; the calling greenlet waits, others go on (gevent's `apply`).
    ///
    /// If the waiting greenlet is interrupted, `f` runs to its end all the same and its result is
    /// dropped on the pool's thread.
    ///
    /// # Errors
    ///
    /// If the pool has no thread and the system gives it none; or in a destructor while the greenlet
    /// unwinds, where nothing can be waited for. Then `f` is not called.
    ///
    /// # Panics
    ///
    /// If `f` does, or if the pool is [killed](Self::kill) before `f` is called.
    #[track_caller]
    pub fn run<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> io::Result<R> {
        // A thread without a hub has no greenlet: it blocks.
        if !self.is_own_thread() && hub::existing().is_some() {
            hub::check_may_wait()?;
        }
        match self.start(f)?.join() {
            Ok(value) => Ok(value),
            // That is the pool's end, and not the caller's.
            Err(error) if error.is_killed() => panic!("the thread pool was killed before it came to this"),
            Err(error) => error.resume(),
        }
    }

    /// Calls `f` with each of `items` on the threads of the pool, and returns the values in the order of
    /// the items (gevent's `map`).
    ///
    /// # Errors
    ///
    /// The error of the first item that has one, as [`Job::join`].
    #[track_caller]
    pub fn map<I, R, F>(&self, items: I, f: F) -> Result<Vec<R>, TaskError>
    where
        I: IntoIterator<Item: Send + 'static>,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        let f = Arc::new(f);
        let call = |item| {
            let f = f.clone();
            self.spawn(move || f(item))
        };
        let jobs: Vec<_> = items.into_iter().map(call).collect();
        jobs.into_iter().map(Job::join).collect()
    }

    /// How many threads there may be.
    pub fn size(&self) -> usize {
        lock(&self.shared.state).size
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        lock(&self.shared.state).workers
    }

    /// Changes how many threads there may be. If there are more, they end as they have nothing to do or
    /// have done what they do.
    ///
    /// # Panics
    ///
    /// If the size is zero.
    pub fn resize(&self, size: usize) {
        check(size);
        let mut state = lock(&self.shared.state);
        state.size = size;
        let wanted = state.unclaimed().saturating_sub(state.idle);
        for _ in 0..wanted.min(size.saturating_sub(state.workers)) {
            // Without it, the others will come to the work.
            if self.start_worker(&mut state).is_err() {
                break;
            }
        }
        self.shared.work.notify_all();
    }

    /// Drops the jobs that queue, so that whoever waits for one gets an error that
    /// [says so](TaskError::is_killed), and lets every thread end when it has done what it does.
    ///
    /// The pool can still be used: it begins anew.
    pub fn kill(&self) {
        let mut state = lock(&self.shared.state);
        state.generation += 1;
        state.workers = 0;
        state.idle = 0;
        state.looks = false;
        let dropped = std::mem::take(&mut state.jobs);
        self.shared.work.notify_all();
        drop(state);
        // Only now: a job may own anything.
        drop(dropped);
    }

    fn start<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> io::Result<Job<R>> {
        let (job, promise) = Job::new();
        if self.is_own_thread() {
            promise.fulfil(f);
        } else {
            self.post(work(promise, f))?;
        }
        Ok(job)
    }

    /// Whether the caller is on a thread of this pool.
    fn is_own_thread(&self) -> bool {
        ptr::eq(on_thread(|| OWN.get()), &*self.shared)
    }

    fn post(&self, job: Work) -> io::Result<()> {
        let mut state = lock(&self.shared.state);
        state.jobs.push_back(job);
        let unclaimed = state.unclaimed();
        if unclaimed == 0 {
            drop(state);
            self.shared.called.store(true, Ordering::Release);
        } else if unclaimed <= state.idle {
            self.shared.work.notify_one();
        } else if state.workers < state.size
            && let Err(error) = self.start_worker(&mut state)
            // With others there, they will come to it.
            && state.workers == 0
        {
            let refused = state.jobs.pop_back();
            drop(state);
            // Only now: a job may own anything.
            drop(refused);
            return Err(error);
        }
        Ok(())
    }

    fn start_worker(&self, state: &mut State) -> io::Result<()> {
        let (shared, generation) = (self.shared.clone(), state.generation);
        let worker = move || {
            OWN.set(&*shared);
            shared.work(generation);
        };
        let start = || thread::Builder::new().name("greenlet-pool".into()).spawn(worker);
        let _detached = if self.shared.takes_signals { start() } else { without_signals(start) }?;
        state.workers += 1;
        Ok(())
    }
}

/// What a worker does for a job.
fn work<R: Send + 'static>(promise: Promise<R>, f: impl FnOnce() -> R + Send + 'static) -> Work {
    Box::new(move || promise.fulfil(f))
}

impl State {
    /// Jobs for which no worker is awake.
    fn unclaimed(&self) -> usize {
        self.jobs.len().saturating_sub(usize::from(self.looks))
    }
}

impl Shared {
    fn work(&self, generation: u64) {
        let mut state = lock(&self.state);
        let mut has_looked = false;
        while state.generation == generation {
            if state.workers > state.size {
                // What it was to find, as it looked, is for somebody else.
                self.work.notify_one();
                break;
            }
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = lock(&self.state);
                has_looked = false;
                continue;
            }
            if !has_looked && !state.looks {
                state = self.look_for_work(state, generation);
                has_looked = true;
                continue;
            }
            state.idle += 1;
            let (guard, wait) =
                self.work.wait_timeout(state, IDLE).unwrap_or_else(|poisoned| poisoned.into_inner());
            state = guard;
            if state.generation != generation {
                return;
            }
            state.idle -= 1;
            if wait.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        if state.generation == generation {
            state.workers -= 1;
        }
    }

    /// Stays awake for a while, if there has been work that soon before.
    fn look_for_work<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        generation: u64,
    ) -> MutexGuard<'a, State> {
        let mut habit = state.spins;
        state.looks = true;
        self.called.store(false, Ordering::Relaxed);
        drop(state);
        habit.spin(|| self.called.load(Ordering::Acquire));
        state = lock(&self.state);
        if state.generation == generation {
            state.looks = false;
            state.spins = habit;
        }
        state
    }
}

/// Calls `f` with those signals blocked that others send, so that a thread which it starts has them blocked for
/// ever. Not those that a thread causes itself: they would end the program without a word.
fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    const OWN: [i32; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let (mut blocked, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: sets are filled before they are changed and read.
    unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        for signal in OWN {
            libc::sigdelset(blocked.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
    }
    let result = f();
    // SAFETY: the call above has filled it.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    result
}

fn check(size: usize) {
    assert!(size > 0, "a thread pool of size 0 runs nothing");
}

impl std::fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("ThreadPool")
            .field("size", &state.size)
            .field("workers", &state.workers)
            .field("jobs", &state.jobs.len())
            .finish()
    }
}
