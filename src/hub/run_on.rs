//! One program on several threads, each with a hub of its own.
//!
//! Hubs share nothing, so that none of them ever waits for a lock of another's. What goes from one to
//! another goes through a [`HubHandle`].

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Backend, Bell, HubHandle, use_backend};
use crate::greenlet::unwind_all;
use crate::time::deadline;

/// Calls `body` on so many new threads, each with a hub of its own, to which it has the handles.
///
/// Whoever calls goes on at once, and waits by [`Hubs::join`], as a greenlet does: its own hub runs on.
/// That is why the body may not borrow: a greenlet that waits can be killed, and would leave behind threads
/// that use what it owned.
///
/// No body begins before all hubs are there. They wait in the way in which the caller's does
/// ([`use_backend`]). When a body returns, what it has left behind on its hub is unwound: one that spawns
/// tasks joins them. ([`hub::join`](super::join) does not return while there are handles to the hub, and
/// here there are.)
///
/// # Errors
///
/// If a thread or its hub cannot be had. Then no body has run.
///
/// # Panics
///
/// If the number of threads is zero.
///
/// ```
/// use greenlet::{hub, spawn};
///
/// # fn main() -> std::io::Result<()> {
/// let hubs = hub::run_on(2, |place| {
///     let first = 10 * place.index();
///     let tasks: Vec<_> = (first..first + 10).map(|n| spawn(move || n)).collect();
///     tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>()
/// })?;
/// let sums: Vec<_> = hubs.join().into_iter().map(Result::unwrap).collect();
/// assert_eq!(sums, [45, 145]);
/// # Ok(())
/// # }
/// ```
pub fn run_on<R: Send + 'static>(
    threads: usize,
    body: impl Fn(&Place) -> R + Send + Sync + 'static,
) -> io::Result<Hubs<R>> {
    assert!(threads > 0, "a body that runs on no threads does not run");
    let backend = super::backend();
    let body = Arc::new(body);
    let running = Arc::new(AtomicUsize::new(threads));
    let starting: Vec<_> = (0..threads)
        .map(|index| {
            let end = End { running: running.clone(), starter: Bell::new() };
            let body = body.clone();
            start(index, backend, end, move |place| body(place))
        })
        .collect::<io::Result<_>>()?;
    let hubs = starting.iter().map(Starting::hub).collect::<io::Result<Arc<[_]>>>()?;
    let threads = starting.into_iter().map(|starting| starting.go(&hubs)).collect();
    Ok(Hubs { hubs, threads, running, starter: PhantomData })
}

/// A thread's place among those of one [`run_on`].
#[derive(Clone)]
pub struct Place {
    index: usize,
    hubs: Arc<[HubHandle]>,
}

impl Place {
    /// Which of the threads it is, from zero.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The hubs of all the threads, this one's among them.
    pub fn hubs(&self) -> &[HubHandle] {
        &self.hubs
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index, self.hubs.len())
    }
}

/// The threads of one [`run_on`]. Dropped, it leaves them running.
///
/// It belongs to the hub that started them, which does not conclude that nothing can wake it while they
/// run. How else a wait for them may end: [Waiting](super#waiting).
#[must_use = "threads that nobody joins end with the process"]
pub struct Hubs<R> {
    hubs: Arc<[HubHandle]>,
    threads: Vec<JoinHandle<Option<R>>>,
    /// How many have not ended.
    running: Arc<AtomicUsize>,
    /// The bell that tells of an end is that of the hub which started them.
    starter: PhantomData<*const ()>,
}

impl<R> Hubs<R> {
    /// Their hubs, in order, through which tasks can be spawned there.
    pub fn handles(&self) -> &[HubHandle] {
        &self.hubs
    }

    /// Whether all have ended.
    pub fn is_finished(&self) -> bool {
        self.running.load(Ordering::Acquire) == 0
    }

    /// Waits until all have ended, for at most `timeout`. Whether they have.
    #[track_caller]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let (hub, until) = (super::here(), deadline(timeout));
        while !self.is_finished() {
            if until.is_some_and(|until| until <= Instant::now()) {
                return false;
            }
            hub.wait_for_bell(until, "hubs on other threads to end");
        }
        true
    }

    /// Waits until all have ended. Returns what the bodies returned, in the order of the threads; where
    /// one has panicked, that.
    #[track_caller]
    pub fn join(self) -> Vec<thread::Result<R>> {
        self.wait(None);
        // Nothing is left of them but the destructors of thread-locals.
        let ended = self.threads.into_iter().map(JoinHandle::join);
        ended.map(|result| result.map(|result| result.expect("it was told to go"))).collect()
    }
}

impl<R> fmt::Debug for Hubs<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.load(Ordering::Relaxed);
        f.debug_struct("Hubs").field("threads", &self.hubs.len()).field("running", &running).finish()
    }
}

/// A thread that has not been told to go.
struct Starting<R> {
    thread: JoinHandle<Option<R>>,
    hub: Receiver<io::Result<HubHandle>>,
    /// Dropped unused, it ends the thread.
    go: Sender<Arc<[HubHandle]>>,
}

fn start<R: Send + 'static>(
    index: usize,
    backend: Backend,
    end: End,
    body: impl FnOnce(&Place) -> R + Send + 'static,
) -> io::Result<Starting<R>> {
    let (tell, hub) = channel();
    let (go, told_to_go) = channel();
    let run = move || {
        let _end = end;
        // Whoever starts this listens, or has given up, and then does not tell to go either.
        let _ = tell.send(use_backend(backend).map(|()| HubHandle::current()));
        let hubs = told_to_go.recv().ok()?;
        let result = body(&Place { index, hubs });
        // While the thread-locals are still alive, and before it counts as ended.
        unwind_all();
        Some(result)
    };
    let thread = thread::Builder::new().name(format!("hub {index}")).spawn(run)?;
    Ok(Starting { thread, hub, go })
}

impl<R> Starting<R> {
    /// Its hub, once it is there.
    fn hub(&self) -> io::Result<HubHandle> {
        self.hub.recv().unwrap_or_else(|_| Err(io::Error::other("a thread has ended before it began")))
    }

    fn go(self, hubs: &Arc<[HubHandle]>) -> JoinHandle<Option<R>> {
        // It waits for this, and for nothing else.
        let _ = self.go.send(hubs.clone());
        self.thread
    }
}

/// Tells, when it is dropped, that a thread has ended.
struct End {
    running: Arc<AtomicUsize>,
    starter: Bell,
}

impl Drop for End {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Release);
        self.starter.ring();
    }
}
