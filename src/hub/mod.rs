//! Floor 3: the hub, which decides who runs when somebody waits.
//!
//! One hub per OS thread, made on first use. A greenlet that cannot go on parks:
//! it switches straight to the next one that is ready. There is no hub greenlet: whoever finds
//! the queue empty polls for I/O and timers on its own stack, so that a turn of the loop costs
//! no switch of its own.
//!
//! Parking and waking allocate nothing and take no lock. This floor knows nothing of tasks,
//! sockets or timeouts; it must never run user code but timer calls, and never lose a wake.

mod fiber;
mod poller;
mod remote;
mod run_queue;
mod timers;
mod unpark;
mod wait_queue;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread::panicking;
use std::time::{Duration, Instant};

pub(crate) use self::fiber::{Fiber, FiberState, Interrupt};
pub(crate) use self::poller::{Direction, Source};
pub use self::remote::{HubGone, HubHandle};
pub(crate) use self::remote::{Remote, RemoteWaker};
pub(crate) use self::timers::{Action, TimerKey};
pub use self::unpark::{Parker, Unparker};
pub(crate) use self::wait_queue::WaitQueue;

use self::poller::Poller;
use self::run_queue::RunQueue;
use self::timers::Timers;
use crate::greenlet::core::Core;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::{Greenlet, Raised, SwitchError, life, switching};

/// What a parked greenlet is switched to with.
pub(crate) struct Wake;

/// With others ready, I/O is polled after this many switches...
const SWITCHES_PER_POLL: usize = 64;
/// ... or after this time, whichever comes first.
const TIME_PER_POLL: Duration = Duration::from_millis(1);
/// This many operations in a row may succeed at once before the greenlet yields.
const BUDGET: u32 = 64;

/// The scheduler of one OS thread.
pub(crate) struct Hub {
    ready: RunQueue,
    /// How many of the ready ones still belong to this round.
    round: Cell<usize>,
    switches_since_poll: Cell<usize>,
    last_poll: Cell<Instant>,
    budget: Cell<u32>,
    timers: RefCell<Timers>,
    poller: Poller,
    remote: Arc<Remote>,
    /// Greenlets that wait for another thread.
    remote_waiters: remote::Waiters,
    /// Its thread ends: what unwinds now goes back to the one who unwinds it.
    shutting_down: Cell<bool>,
}

thread_local! {
    static HUB: Cell<*const Hub> = const { Cell::new(ptr::null()) };
    static AT_EXIT: AtExit = const { AtExit };
}

/// Runs `f` with this thread's hub.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Hub) -> R) -> R {
    let hub = NonNull::new(HUB.get().cast_mut()).unwrap_or_else(Hub::create);
    // SAFETY: a hub lives until its thread ends and every greenlet that could use it is unwound.
    f(unsafe { hub.as_ref() })
}

/// As [`with`], if there is a hub.
pub(crate) fn with_existing<R>(f: impl FnOnce(&Hub) -> R) -> Option<R> {
    let hub = NonNull::new(HUB.get().cast_mut())?;
    // SAFETY: as in `with`.
    Some(f(unsafe { hub.as_ref() }))
}

impl Hub {
    #[cold]
    fn create() -> NonNull<Hub> {
        // The greenlets' own thread-exit work is registered first, so that it runs last.
        greenlet_thread::current();
        let poller = Poller::new().unwrap_or_else(|error| panic!("this thread's hub cannot poll: {error}"));
        let hub = Box::new(Hub {
            ready: RunQueue::default(),
            round: Cell::new(0),
            switches_since_poll: Cell::new(0),
            last_poll: Cell::new(Instant::now()),
            budget: Cell::new(BUDGET),
            timers: RefCell::default(),
            remote: Arc::new(Remote::new(poller.waker())),
            remote_waiters: remote::Waiters::default(),
            poller,
            shutting_down: Cell::new(false),
        });
        let hub = NonNull::from(Box::leak(hub));
        HUB.set(hub.as_ptr());
        // Where the thread's locals are being destroyed already, the hub is leaked.
        let _ = AT_EXIT.try_with(|_| ());
        hub
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
        let fiber = Box::new(Fiber::guest(core));
        let record = ptr::from_ref(&*fiber);
        // SAFETY: what is current is alive, and keeps the record until it is freed.
        unsafe {
            core.as_ref().record.set(record.cast_mut().cast());
            core.as_ref().keep(fiber);
            &*record
        }
    }

    /// Suspends the current greenlet until somebody makes it ready, and lets others run.
    ///
    /// Returns early, by unwinding, if the greenlet is interrupted.
    #[track_caller]
    #[inline]
    pub(crate) fn park(&self, why: &'static str) {
        let me = self.current();
        me.raise_interrupt();
        me.waits_on.set(why);
        me.state.set(FiberState::Parked);
        self.run_others(me);
        me.raise_interrupt();
    }

    /// Lets everybody who is ready run before going on.
    #[track_caller]
    #[inline]
    pub(crate) fn yield_now(&self) {
        let me = self.current();
        me.raise_interrupt();
        me.waits_on.set("yield");
        me.state.set(FiberState::Ready);
        self.ready.push(me);
        self.run_others(me);
        me.raise_interrupt();
    }

    /// Counts an operation that succeeded without waiting; now and then it yields, so that one
    /// that always succeeds does not starve the others.
    #[track_caller]
    #[inline]
    pub(crate) fn spend_budget(&self) {
        match self.budget.get() {
            0 => {
                self.budget.set(BUDGET);
                self.yield_now();
            }
            budget => self.budget.set(budget - 1),
        }
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
        fiber.add_interrupt(interrupt);
        self.make_ready(fiber);
    }

    /// Switches away from `me`, which is parked or in the queue, until it is next.
    #[track_caller]
    #[inline]
    fn run_others(&self, me: &Fiber) {
        let _waiting = Waiting { hub: self, me };
        assert!(!panicking(), "a greenlet cannot wait while it unwinds");
        self.budget.set(BUDGET);
        loop {
            let next = self.next();
            // SAFETY: what is in the queue is alive.
            let next = unsafe { next.as_ref() };
            next.state.set(FiberState::Running);
            if ptr::eq(next, me) {
                return;
            }
            // A suspended greenlet without a count is unwound, and a guest may have lost its last
            // handle: while it waits here, the hub wants it.
            let _kept = me.keep_guest();
            // SAFETY: a record's greenlet belongs to this thread, and a ready one is kept.
            match unsafe { switching::transfer_or_deliver(next.core(), Wake) } {
                Ok(Wake) => return,
                Err(mut raised) => match raised.take_refusal() {
                    None => raised.resume(),
                    Some(error @ SwitchError::Stack(_)) => next.cannot_start(error),
                    Some(error) => panic!("a greenlet cannot wait here: {error}"),
                },
            }
        }
    }

    /// Called by the body of a spawned greenlet when it is about to return: whoever is next in the
    /// queue continues, in place of the parent. Who unwinds the greenlet by hand, however, waits
    /// for it as its parent.
    pub(crate) fn exit(&self) {
        let me = greenlet_thread::current();
        if !self.shutting_down.get() && !life::is_being_unwound(me) {
            self.name_successor();
        }
        // SAFETY: this is the hub's count, and the greenlet ends at once.
        unsafe { life::give_up_count(me) };
    }

    fn name_successor(&self) {
        loop {
            let next = self.next();
            // SAFETY: what is in the queue is alive.
            let next = unsafe { next.as_ref() };
            next.state.set(FiberState::Running);
            // SAFETY: ready greenlets are suspended or unstarted, and nothing runs between here and
            // the end of this body.
            match unsafe { life::succeed_current(next.core()) } {
                Ok(()) => return,
                Err(error) => next.cannot_start(error),
            }
        }
    }

    /// The greenlet that runs next. Waits for one where there is none.
    #[inline]
    fn next(&self) -> NonNull<Fiber> {
        loop {
            match self.round.get() {
                0 => self.turn(),
                left => {
                    self.round.set(left - 1);
                    if let Some(fiber) = self.ready.pop() {
                        return fiber;
                    }
                }
            }
        }
    }

    /// Begins a round: whatever has become ready since the last one began is in it.
    #[cold]
    #[inline(never)]
    fn turn(&self) {
        self.remote.drain(self);
        if self.ready.is_empty() {
            self.wait_for_work();
        } else {
            self.poll_if_due();
        }
        self.round.set(self.ready.len());
    }

    /// Polls without waiting, if there is anything to poll for and the last time was long ago.
    fn poll_if_due(&self) {
        let switches = self.switches_since_poll.get() + self.ready.len();
        self.switches_since_poll.set(switches);
        let timers = !self.timers.borrow().is_empty();
        if !timers && !self.poller.is_watching() {
            return;
        }
        let now = Instant::now();
        if timers {
            self.fire_timers(now);
        }
        if switches >= SWITCHES_PER_POLL || now - self.last_poll.get() >= TIME_PER_POLL {
            self.last_poll.set(now);
            self.poll(Some(Duration::ZERO));
        }
    }

    /// Waits for I/O, the next timer or another thread.
    fn wait_for_work(&self) {
        let deadline = self.timers.borrow().next_deadline();
        if deadline.is_none() && !self.poller.has_waiters() && !self.can_be_woken_remotely() {
            return self.loop_exit();
        }
        let now = Instant::now();
        self.last_poll.set(now);
        match deadline {
            Some(deadline) if deadline <= now => {
                self.fire_timers(now);
                self.poll(Some(Duration::ZERO));
            }
            Some(deadline) => {
                self.poll(Some(deadline - now));
                self.fire_timers(Instant::now());
            }
            None => self.poll(None),
        }
    }

    fn poll(&self, timeout: Option<Duration>) {
        self.switches_since_poll.set(0);
        let blocks = timeout != Some(Duration::ZERO);
        if blocks && !self.remote.begin_sleep() {
            return;
        }
        if let Err(error) = self.poller.wait(timeout, |fiber| self.make_ready(fiber)) {
            panic!("this thread's hub cannot poll: {error}");
        }
        if blocks {
            self.remote.end_sleep();
        }
    }

    fn fire_timers(&self, now: Instant) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                // SAFETY: a timer is cancelled before its greenlet ends.
                Some(Action::Wake(fiber)) => self.make_ready(unsafe { fiber.as_ref() }),
                Some(Action::Call(call)) => call(self),
                None => return,
            }
        }
    }

    /// Whether a thread of the pool or the holder of a handle may still wake somebody.
    fn can_be_woken_remotely(&self) -> bool {
        !self.remote_waiters.is_empty() || Arc::strong_count(&self.remote) > 1
    }

    /// Nothing will ever happen here again: the root greenlet is told.
    #[track_caller]
    fn loop_exit(&self) {
        let report = self.who_waits();
        let root = Greenlet::<Wake>::root();
        // SAFETY: the root lives as long as its thread.
        let record = unsafe { root.core_ptr().as_ref() }.record.get().cast::<Fiber>();
        // SAFETY: the record lives as long as its greenlet.
        match unsafe { record.as_ref() } {
            Some(fiber) if fiber.state.get() == FiberState::Parked => {
                self.interrupt(fiber, Interrupt::panic(report));
            }
            // The root waits for a greenlet that it switched to by hand.
            _ => {
                let error: Box<dyn Any + Send> = Box::new(report);
                let _ = switching::deliver::<Wake>(root.core_ptr(), Err(Raised::from_payload(error)));
            }
        }
    }

    /// The text of a LoopExit.
    fn who_waits(&self) -> String {
        let mut report =
            String::from("LoopExit: nothing is left that could wake anybody, and these greenlets wait:");
        greenlet_thread::for_each(|core| {
            // SAFETY: the record lives as long as its greenlet.
            if let Some(fiber) = unsafe { core.record.get().cast::<Fiber>().as_ref() }
                && fiber.state.get() == FiberState::Parked
            {
                let name = life::describe(core);
                report.push_str(&format!("\n  {name}: {}", fiber.waits_on.get()));
            }
        });
        report
    }

    pub(crate) fn set_timer(&self, deadline: Instant, action: Action) -> TimerKey {
        self.timers.borrow_mut().insert(deadline, action)
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) {
        self.timers.borrow_mut().remove(key);
    }

    /// Parks until `deadline`.
    #[track_caller]
    pub(crate) fn park_until(&self, deadline: Instant, why: &'static str) {
        let _timer = self.wake_at(deadline);
        self.park(why);
    }

    /// A timer that makes the current greenlet ready, while the guard lives.
    fn wake_at(&self, deadline: Instant) -> TimerGuard<'_> {
        let key = self.set_timer(deadline, Action::Wake(NonNull::from(self.current())));
        TimerGuard { hub: self, key }
    }

    /// Waits in `queue` until it is woken from there; false if `deadline` came first.
    #[track_caller]
    pub(crate) fn wait(&self, queue: &WaitQueue, deadline: Option<Instant>, why: &'static str) -> bool {
        let node = wait_queue::Node::new(self.current());
        // SAFETY: the node does not move before its guard takes it out of the queue.
        let _queued = unsafe { queue.enter(&node) };
        let _timer = deadline.map(|deadline| self.wake_at(deadline));
        self.park(why);
        !node.is_queued()
    }

    /// As [`wait`](Self::wait), where the wake hands something over. If the greenlet is unwound
    /// between its wake and its run, `pass_on` gives that to somebody else.
    #[track_caller]
    pub(crate) fn wait_for_hand_over(
        &self,
        queue: &WaitQueue,
        deadline: Option<Instant>,
        why: &'static str,
        pass_on: impl FnMut(),
    ) -> bool {
        let node = wait_queue::Node::new(self.current());
        // SAFETY: the node does not move before its guard takes it out of the queue.
        let _queued = unsafe { queue.enter(&node) };
        let _timer = deadline.map(|deadline| self.wake_at(deadline));
        let unwound = Unwound { node: &node, pass_on };
        self.park(why);
        std::mem::forget(unwound);
        !node.is_queued()
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Waits until another thread uses the waker that `start` is given, unless that says that there
    /// is nothing to wait for.
    #[track_caller]
    pub(crate) fn wait_remotely(&self, start: impl FnOnce(RemoteWaker) -> bool, why: &'static str) {
        let waiter = self.remote_waiters.enter(self.current());
        if !start(RemoteWaker::new(self.remote.clone(), waiter.key())) {
            return;
        }
        while !waiter.is_woken() {
            self.park(why);
        }
    }

    /// Unwinds every greenlet that the hub knows, while there is still a hub to unwind with.
    fn shut_down(&self) {
        self.shutting_down.set(true);
        self.ready.clear();
        self.remote.close();
        greenlet_thread::end_all(|core| !core.record.get().is_null());
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
        if self.me.state.get() != FiberState::Running {
            self.hub.ready.remove(self.me);
            self.me.state.set(FiberState::Running);
        }
    }
}

/// Dropped by a wait that does not return: what was handed over goes to somebody else.
struct Unwound<'a, F: FnMut()> {
    node: &'a wait_queue::Node,
    pass_on: F,
}

impl<F: FnMut()> Drop for Unwound<'_, F> {
    fn drop(&mut self) {
        if !self.node.is_queued() {
            (self.pass_on)();
        }
    }
}

struct TimerGuard<'a> {
    hub: &'a Hub,
    key: TimerKey,
}

impl Drop for TimerGuard<'_> {
    fn drop(&mut self) {
        self.hub.cancel_timer(self.key);
    }
}

/// Raises a payload that was thrown at a greenlet from outside.
pub(crate) fn raise(payload: Box<dyn Any + Send>) -> ! {
    panic::resume_unwind(payload)
}

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let Some(hub) = NonNull::new(HUB.get().cast_mut()) else { return };
        if !greenlet_thread::current_is_root() {
            // The process exits from within a greenlet, and leaves everything behind.
            return;
        }
        // SAFETY: the hub is alive until the box is dropped below.
        unsafe { hub.as_ref() }.shut_down();
        HUB.set(ptr::null());
        // SAFETY: leaked by `create`; every greenlet that used it is unwound, or abandoned and
        // never continued.
        drop(unsafe { Box::from_raw(hub.as_ptr()) });
    }
}
