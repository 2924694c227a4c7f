//! Floor 3: the hub, which decides who runs when somebody waits.
//!
//! One hub per OS thread, made on first use. A greenlet that cannot go on parks:
//! it switches straight to the next one that is ready. There is no hub greenlet: whoever finds
//! the queue empty polls for I/O and timers on its own stack, so that a turn of the loop costs
//! no switch of its own.
//!
//! Parking and waking allocate nothing and take no lock. This floor knows nothing of tasks,
//! sockets or timeouts; it must never run user code but timer calls, and never lose a wake.
//!
//! # Waiting
//!
//! Whatever waits in this crate parks its greenlet here, and most of it goes on when what it waits for has come or its
//! own timeout is over. A wait may end in other ways, and these are the same for all:
//!
//! - **A kill or a timeout.** The greenlet was [killed](crate::Task::kill), or a [`Timeout`](crate::Timeout) that it
//!   started is over: it unwinds from the wait, which has taken nothing.
//! - **In a destructor, while the greenlet unwinds,** nothing can be waited for. What returns an [`io::Result`] returns an
//!   error; every other wait panics, and a panic in a destructor during unwinding aborts the process. What need not wait
//!   works as ever: `try_lock`, a lock that is free, `set`, `put` where there is room. (With the
//!   feature `own-tls`, every wait in a destructor of a greenlet's own thread-locals panics.)
//! - **At the end of a thread** it is the same in destructors that run when its tasks are being unwound, or when its hub
//!   has ended, which is where thread-locals are dropped that were first used before it: what need not wait works, and
//!   the rest returns an error if it can, and else panics. What begins something (a task, a timeout, a server) panics.
//! - **LoopExit.** Nobody is ready, no timer is set, nobody waits for a descriptor or for another thread, and no
//!   [`HubHandle`], listener for [signals](crate::signal) or thread of a [`run_on`] is left: nobody here can ever run
//!   again. Then the thread's root greenlet, which is what the thread itself runs, panics where it waits. The panic's text
//!   begins with `LoopExit` and lists who waits for what; the others go on waiting, and are unwound when the thread ends.
//!   (Only [`join`] returns.) It never comes from a [`Guest::turn`].
//!
//! ```
//! use greenlet::sync::Event;
//!
//! let payload = std::panic::catch_unwind(|| Event::new().wait()).unwrap_err();
//! let text = payload.downcast_ref::<String>().unwrap();
//! assert!(text.starts_with("LoopExit") && text.contains("greenlet 0: an event"));
//! ```

#[cfg(target_os = "linux")]
mod call;
mod callback;
mod counted;
#[cfg(target_os = "linux")]
pub mod embed;
mod end;
mod fiber;
mod fork;
mod guest;
mod interrupts;
mod join;
mod loop_exit;
pub(crate) mod memory;
mod one_more;
mod poller;
mod remote;
mod rounds;
mod run_on;
mod run_queue;
mod scheduler;
#[cfg(target_os = "linux")]
mod signals;
mod timers;
mod unpark;
mod wait_queue;
mod waits;
mod watch;

use std::cell::{Cell, RefCell};
use std::io;
use std::panic;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread::panicking;
use std::time::Instant;

pub(crate) use self::counted::{Count, Counted};
pub(crate) use self::fiber::{Fiber, FiberState, OnUnrun, Unrun};
pub use self::fork::after_fork;
pub(crate) use self::fork::forks;
pub use self::guest::Guest;
pub(crate) use self::interrupts::{Cause, Interrupt};
pub use self::join::join;
pub use self::poller::{Backend, UnknownBackend};
pub(crate) use self::poller::{Direction, Source, SourceRef, poll_fds};
pub(crate) use self::remote::{Bell, Remote, RemoteWaker};
pub use self::remote::{HubGone, HubHandle};
pub use self::run_on::{Hubs, Place, run_on};
pub(crate) use self::timers::{Action, TimerKey};
pub use self::unpark::{Parker, Unparker};
pub(crate) use self::wait_queue::{Node, Ring, WaitQueue};
pub(crate) use self::watch::Watch;
pub use self::watch::{Waitable, Watched};

use self::end::AtExit;
use self::poller::Poller;
use self::run_queue::RunQueue;
use self::timers::Timers;
use crate::greenlet::core::Core;
pub(crate) use crate::greenlet::tag::Wake;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::words::{self, Hold, Kept};
use crate::greenlet::{Greenlet, GreenletExit, Raised, counting, life, switching};
use crate::spin::Habit;

/// Why a greenlet does not wait in its destructors.
const UNWINDS: &str = "a greenlet cannot wait while it unwinds";
/// Why it does not where its thread ends.
const IS_ENDING: &str = "this thread's hub is ending";
const HAS_ENDED: &str = "this thread's hub has ended";

/// This many operations in a row may succeed at once before the greenlet yields.
const BUDGET: u32 = 64;

/// The scheduler of one OS thread.
pub(crate) struct Hub {
    ready: RunQueue,
    /// How many of the ready ones still belong to this round.
    round: Cell<usize>,
    switches_since_poll: Cell<usize>,
    last_poll: Cell<Instant>,
    /// When the last [epoch](rounds::EPOCH) of the thread's memory ended.
    last_epoch: Cell<Instant>,
    budget: Cell<u32>,
    timers: RefCell<Timers>,
    poller: Poller,
    remote: Arc<Remote>,
    /// Greenlets that wait for another thread.
    remote_waiters: remote::Waiters,
    /// Whether what they wait for comes before a sleep would be over.
    spins: Cell<Habit>,
    /// Empty, but for the time in which posts from elsewhere are seen to.
    seen_posts: Cell<Vec<remote::Post>>,
    /// Greenlets that look again when a [`Bell`] is rung.
    bell: WaitQueue,
    /// Greenlets that run when nobody else is ready.
    idlers: WaitQueue,
    /// What is called with greenlets that were spawned and do not get to run.
    on_unrun: Cell<Option<OnUnrun>>,
    /// The root waits in [`join`], with so many timers that do not count.
    joining: Cell<Option<usize>>,
    /// Its thread ends: what unwinds now goes back to the one who unwinds it.
    shutting_down: Cell<bool>,
    /// Until when greenlets that end with the thread may wait for others.
    #[cfg(target_os = "linux")]
    last_waits: Cell<Option<Instant>>,
    /// Between rounds: who runs now does the hub's work.
    turning: Cell<bool>,
    /// Greenlets whose waits end when a signal is handled.
    #[cfg(target_os = "linux")]
    signals: signals::SignalWaiters,
    /// How many greenlets wait for a [`Sleeper`](embed::Sleeper) to be woken.
    #[cfg(target_os = "linux")]
    sleepers: Cell<usize>,
    /// How many [calls](call) of somebody else's code use this.
    #[cfg(target_os = "linux")]
    calls: Cell<usize>,
    /// The thread has let go of this, and the last of those frees it.
    #[cfg(target_os = "linux")]
    left_to_calls: Cell<bool>,
    /// How many signal handlers run on this thread, each within the one before.
    #[cfg(target_os = "linux")]
    handlers: Cell<usize>,
    /// The process was forked, and this hub is the parent's.
    #[cfg(target_os = "linux")]
    disowned: Cell<bool>,
}

thread_local! {
    static ENDED: Cell<bool> = const { Cell::new(false) };
    static AT_EXIT: AtExit = const { AtExit };
}

/// Where this thread's hub is, if there is one.
#[inline(always)]
fn place() -> Option<NonNull<Hub>> {
    NonNull::new(words::kept(Kept::Hub).cast::<Hub>().cast_mut())
}

/// This thread's hub.
///
/// Whoever waits calls this and then the hub, and not a closure with the hub: only so does a panic
/// out of the wait name the place in the user's code.
#[inline]
pub(crate) fn here<'a>() -> &'a Hub {
    let hub = place().unwrap_or_else(Hub::create);
    // SAFETY: a hub lives until its thread ends and every greenlet that could use it is unwound.
    unsafe { hub.as_ref() }
}

/// This thread's hub, if there is one.
#[inline]
pub(crate) fn existing<'a>() -> Option<&'a Hub> {
    let hub = place()?;
    // SAFETY: as in `here`.
    Some(unsafe { hub.as_ref() })
}

/// Runs `f` with this thread's hub, if there is one.
pub(crate) fn with_existing<R>(f: impl FnOnce(&Hub) -> R) -> Option<R> {
    existing().map(f)
}

/// Counts an operation that need not wait, if there is a hub whose other greenlets it might starve.
#[track_caller]
pub(crate) fn spend_budget() {
    if let Some(hub) = existing() {
        hub.spend_budget();
    }
}

/// Whether this thread has had a hub, and will not have one again: its thread-locals are being destroyed.
pub(crate) fn has_ended() -> bool {
    place().is_none() && greenlet_thread::on_thread(|| ENDED.get())
}

/// Whether the current greenlet can let others run while it waits.
pub(crate) fn can_wait() -> bool {
    existing().is_some_and(Hub::can_wait)
}

/// This thread's hub, unless it has ended.
#[inline]
pub(crate) fn unless_ended<'a>() -> Option<&'a Hub> {
    existing().or_else(|| (!has_ended()).then(here))
}

/// For what has an error to return where it would have to wait.
///
/// # Errors
///
/// If the current greenlet unwinds, or its thread ends.
pub(crate) fn check_may_wait() -> io::Result<()> {
    let why_not = match existing() {
        _ if panicking() => UNWINDS,
        Some(hub) if hub.is_over_for_current() => IS_ENDING,
        None if has_ended() => HAS_ENDED,
        _ => return Ok(()),
    };
    Err(io::Error::other(why_not))
}

/// Chooses how this thread's hub waits for descriptors (eventlet's `use_hub`, gevent's `GEVENT_LOOP`).
/// To be called before anything here has made the hub: a task, a socket, a sleep.
///
/// Where nothing is chosen, the environment variable `GREENLET_BACKEND` decides, `system` or `poll`;
/// and without that it is [`Backend::System`]. With any other name in it, the first use of a hub panics.
///
/// # Errors
///
/// If this thread's hub exists already, which goes on as it is; or if the system refuses.
///
/// ```
/// use greenlet::hub::{Backend, backend, use_backend};
///
/// # fn main() -> std::io::Result<()> {
/// use_backend(Backend::Poll)?;
/// assert_eq!(backend(), Backend::Poll);
/// assert!(use_backend(Backend::System).is_err());
/// # Ok(())
/// # }
/// ```
pub fn use_backend(backend: Backend) -> io::Result<()> {
    if place().is_some() {
        let message = "this thread's hub has started already";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    Hub::start(backend).map(drop)
}

/// How this thread's hub waits for descriptors. Makes the hub if there is none yet.
pub fn backend() -> Backend {
    here().poller.backend()
}

impl Hub {
    #[cold]
    fn create() -> NonNull<Hub> {
        Self::start(Backend::from_environment())
            .unwrap_or_else(|error| panic!("this thread's hub cannot poll: {error}"))
    }

    /// Makes this thread's hub. There is none yet.
    fn start(backend: Backend) -> io::Result<NonNull<Hub>> {
        assert!(!has_ended(), "{HAS_ENDED}");
        // The greenlets' own thread-exit work is registered first, so that it runs last.
        let current = greenlet_thread::current();
        let (poller, now) = (Poller::new(backend)?, Instant::now());
        let hub = Box::new(Hub {
            ready: RunQueue::default(),
            round: Cell::new(0),
            switches_since_poll: Cell::new(0),
            last_poll: Cell::new(now),
            last_epoch: Cell::new(now),
            budget: Cell::new(BUDGET),
            timers: RefCell::default(),
            remote: Arc::new(Remote::new(poller.waker())),
            remote_waiters: remote::Waiters::default(),
            spins: Cell::default(),
            seen_posts: Cell::default(),
            bell: WaitQueue::new(),
            idlers: WaitQueue::new(),
            on_unrun: Cell::new(None),
            joining: Cell::new(None),
            poller,
            shutting_down: Cell::new(false),
            #[cfg(target_os = "linux")]
            last_waits: Cell::new(None),
            turning: Cell::new(false),
            #[cfg(target_os = "linux")]
            signals: signals::SignalWaiters::default(),
            #[cfg(target_os = "linux")]
            sleepers: Cell::new(0),
            #[cfg(target_os = "linux")]
            calls: Cell::new(0),
            #[cfg(target_os = "linux")]
            left_to_calls: Cell::new(false),
            #[cfg(target_os = "linux")]
            handlers: Cell::new(0),
            #[cfg(target_os = "linux")]
            disowned: Cell::new(false),
        });
        let hub = NonNull::from(Box::leak(hub));
        words::keep(Kept::Hub, hub.as_ptr().cast_const().cast());
        // SAFETY: the current greenlet is alive.
        unsafe { current.as_ref() }.thread().scheduler.set(Some(&scheduler::FUNCTIONS));
        // The end of the hub needs memory, and gives some back.
        memory::prepare();
        // Where the thread's locals are being destroyed already, the hub is leaked.
        let _ = greenlet_thread::on_thread(|| AT_EXIT.try_with(|_| ()));
        Ok(hub)
    }

    /// The record of the current greenlet.
    #[inline]
    pub(crate) fn current(&self) -> &Fiber {
        let core = greenlet_thread::current();
        // SAFETY: the current greenlet is alive, and so is its record.
        unsafe {
            match NonNull::new(core.as_ref().record.get().cast::<Fiber>()) {
                Some(fiber) => &*fiber.as_ptr(),
                None => self.admit(core),
            }
        }
    }

    /// Makes a record for a greenlet that was not spawned by the hub.
    #[cold]
    fn admit(&self, core: NonNull<Core>) -> &Fiber {
        // It has seen that it has to wait. If others ran, what it is to wait for might come before it does.
        words::without_waiting(|| {
            let fiber = Box::new(Fiber::guest(core));
            let record = ptr::from_ref(&*fiber);
            // SAFETY: what is current is alive, and keeps the record until it is freed.
            unsafe {
                core.as_ref().record.set(record.cast_mut().cast());
                core.as_ref().extras_or_new().kept.set(Some(fiber));
                &*record
            }
        })
    }

    /// Says what is to be called with greenlets that this hub was to start and that do not get to run.
    ///
    /// # Safety
    ///
    /// It can be called with each whose record is a [spawned](Fiber::spawned) one.
    #[inline]
    pub(crate) unsafe fn on_unrun(&self, call: OnUnrun) {
        self.on_unrun.set(Some(call));
    }

    /// Suspends the current greenlet until somebody makes it ready, and lets others run.
    ///
    /// Returns early, by unwinding, if the greenlet is interrupted.
    ///
    /// # Panics
    ///
    /// While the thread unwinds, and in a callback of the hub.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn park(&self, why: &'static str) {
        let me = self.current();
        self.may_wait(me);
        me.set_waits_on(why);
        me.state.set(FiberState::Parked);
        self.run_others_or_raise(me);
        me.raise_interrupt();
    }

    /// Lets everybody who is ready run before going on.
    ///
    /// # Panics
    ///
    /// As [`park`](Self::park).
    #[track_caller]
    #[inline(always)]
    pub(crate) fn yield_now(&self) {
        let me = self.current();
        self.may_wait(me);
        me.set_waits_on("yield");
        me.state.set(FiberState::Ready);
        self.ready.push(me);
        self.run_others_or_raise(me);
        me.raise_interrupt();
    }

    #[track_caller]
    #[inline]
    fn may_wait(&self, me: &Fiber) {
        if panicking() || words::held() != Hold::Nothing || self.shutting_down.get() {
            self.must_not_wait(me);
        }
        me.raise_interrupt();
    }

    #[track_caller]
    #[cold]
    fn must_not_wait(&self, me: &Fiber) {
        assert!(!panicking(), "{UNWINDS}");
        match words::held() {
            Hold::Nothing => {}
            Hold::Callback => panic!("a callback of the hub cannot wait"),
            Hold::Destructors => panic!("a greenlet cannot wait while it destroys its thread-locals"),
        }
        // It was to be unwound where it could not be, and goes on from here.
        me.raise_interrupt();
        // SAFETY: what is current is alive.
        let unwinder = unsafe { me.core().as_ref() }.unwinder();
        let Some(unwinder) = unwinder else { panic!("{IS_ENDING}") };
        // It caught its exit and waits again: that is for its unwinder to judge.
        match switching::deliver(unwinder, Ok(Wake)) {
            Ok(Wake) => panic::resume_unwind(Box::new(GreenletExit)),
            Err(raised) => raised.resume(),
        }
    }

    /// Counts an operation that need not wait; now and then it yields, so that one that never waits
    /// does not starve the others. Comes before the operation: who is interrupted here must not lose
    /// what that has taken.
    #[track_caller]
    #[inline]
    pub(crate) fn spend_budget(&self) {
        match self.budget.get() {
            0 => self.yield_for_others(),
            budget => self.budget.set(budget - 1),
        }
    }

    #[track_caller]
    #[cold]
    fn yield_for_others(&self) {
        // Where nobody can wait, nobody is kept from what need not wait.
        if self.can_wait() {
            self.yield_now();
        }
    }

    /// Whether the current greenlet can wait: not while it unwinds, not in a callback of the hub, nor at the end
    /// of its thread. One that has caught its exit there can try, which is for its unwinder to judge.
    fn can_wait(&self) -> bool {
        !panicking() && words::held() == Hold::Nothing && !self.is_over_for_current()
    }

    /// Whether the thread ends, and the current greenlet is not the one that is unwound for it.
    fn is_over_for_current(&self) -> bool {
        // SAFETY: what is current is alive.
        let is_unwound = || unsafe { greenlet_thread::current().as_ref() }.unwinder().is_some();
        self.shutting_down.get() && !is_unwound()
    }

    /// Has the next operation of this turn yield first.
    #[inline]
    pub(crate) fn use_up_budget(&self) {
        self.budget.set(0);
    }

    /// Makes a parked greenlet ready. One that is not parked is left alone.
    #[inline]
    pub(crate) fn make_ready(&self, fiber: &Fiber) {
        if fiber.state.get() == FiberState::Parked {
            fiber.state.set(FiberState::Ready);
            self.ready.push(fiber);
        }
    }

    /// Has `interrupt` raised in a greenlet where it waits, or where it will wait next.
    pub(crate) fn interrupt(&self, fiber: &Fiber, interrupt: Interrupt) {
        let replaced = fiber.add_interrupt(interrupt);
        self.make_ready(fiber);
        drop(replaced);
    }

    #[track_caller]
    #[inline(always)]
    fn run_others_or_raise(&self, me: &Fiber) {
        if let Err(raised) = self.run_others(me) {
            raised.resume();
        }
    }

    /// Switches away from `me`, which is parked or in the queue, until it is next, or until something
    /// is raised in it.
    #[track_caller]
    // Part of every wait: a call of its own costs as much as the rest of it.
    #[inline(always)]
    fn run_others(&self, me: &Fiber) -> Result<(), Raised> {
        let _waiting = Waiting { hub: self, me };
        self.budget.set(BUDGET);
        // A suspended greenlet without a count is unwound, and a guest may have lost its last handle:
        // while it waits here, the hub wants it.
        let _kept = me.keep_guest();
        let brought = match self.next_to_run() {
            Some(next) if ptr::eq(next.as_ptr(), me) => return Ok(()),
            // SAFETY: a record's greenlet belongs to this thread, and a ready one is alive. It can be
            // switched to: it is suspended in this function, or unstarted with a stack reserved.
            Some(next) => unsafe { switching::transfer_or_deliver(next.as_ref().core(), Wake) },
            None => self.nobody_is_next(me),
        };
        brought.map(|Wake| ())
    }

    /// Tells the root that nobody will ever be, and waits.
    #[cold]
    fn nobody_is_next(&self, me: &Fiber) -> Result<Wake, Raised> {
        if me.state.get() == FiberState::Unwound {
            return Err(Raised::exit());
        }
        switching::deliver::<Wake, Wake>(Greenlet::<Wake>::root().core_ptr(), Err(self.loop_exit()))
    }

    /// The greenlet that runs next, with a stack if it needs one. `None` if there will never be one
    /// and the root waits for something else than the hub; or if the current one [is to
    /// end](Self::is_to_end).
    #[inline(always)]
    fn next_to_run(&self) -> Option<NonNull<Fiber>> {
        loop {
            let next = self.next()?;
            // SAFETY: what is in the queue is alive.
            let fiber = unsafe { next.as_ref() };
            if fiber.can_run(self) {
                fiber.state.set(FiberState::Running);
                return Some(next);
            }
            if self.is_to_end() {
                return None;
            }
        }
    }

    /// Called by the body of a spawned greenlet when it is about to return: whoever is next in the
    /// queue continues, in place of the parent. Who unwinds the greenlet by hand, however, waits
    /// for it.
    ///
    /// # Panics
    ///
    /// With the text of a LoopExit, if nobody is next and the root waits for something else: the
    /// body is to pass that on to its parent, which is the root.
    pub(crate) fn exit(&self) {
        // SAFETY: this is the hub's count, and the greenlet ends at once.
        unsafe { counting::give_up(greenlet_thread::current()) };
        if self.is_to_end() {
            return;
        }
        match self.next_to_run() {
            // SAFETY: it is ready, has a stack if it needs one, and nothing runs between here and the
            // end of this body.
            Some(next) => unsafe { life::succeed_current(next.as_ref().core()) },
            None if self.is_to_end() => {}
            None => self.loop_exit().resume(),
        }
    }

    /// One that has waited runs. Whoever is next in the queue has left it by now, and who is interrupted leaves it here.
    #[inline]
    fn ends_wait(&self, fiber: &Fiber) {
        if fiber.state.get() != FiberState::Running {
            self.ready.remove(fiber);
            fiber.state.set(FiberState::Running);
        }
    }
}

/// Until dropped, a greenlet that leaves the hub by unwinding is taken out of the queue.
struct Waiting<'a> {
    hub: &'a Hub,
    me: &'a Fiber,
}

impl Drop for Waiting<'_> {
    #[inline]
    fn drop(&mut self) {
        self.hub.ends_wait(self.me);
    }
}
