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
use std::sync::atomic::{Ordering, fence};
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
use crate::greenlet::core::{Core, Phase};
use crate::greenlet::tag::Tag;
pub(crate) use crate::greenlet::tag::Wake;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::{Greenlet, GreenletExit, Raised, SwitchError, counting, life, switching};

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
    /// A function that must not wait is running.
    in_callback: Cell<bool>,
}

thread_local! {
    static HUB: Cell<*const Hub> = const { Cell::new(ptr::null()) };
    static ENDED: Cell<bool> = const { Cell::new(false) };
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
        assert!(!ENDED.get(), "this thread's hub has ended");
        // The greenlets' own thread-exit work is registered first, so that it runs last.
        let current = greenlet_thread::current();
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
            in_callback: Cell::new(false),
        });
        let hub = NonNull::from(Box::leak(hub));
        HUB.set(hub.as_ptr());
        // SAFETY: the current greenlet is alive.
        unsafe { current.as_ref() }.thread().scheduler.set(Some(|| with(|hub| hub.pick())));
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
            core.as_ref().extras_or_new().kept.set(Some(fiber));
            &*record
        }
    }

    /// Suspends the current greenlet until somebody makes it ready, and lets others run.
    ///
    /// Returns early, by unwinding, if the greenlet is interrupted.
    ///
    /// # Panics
    ///
    /// While the thread unwinds, and in a callback of the hub.
    #[track_caller]
    #[inline]
    pub(crate) fn park(&self, why: &'static str) {
        let me = self.current();
        self.may_wait(me);
        me.waits_on.set(why);
        me.state.set(FiberState::Parked);
        self.run_others(me);
        me.raise_interrupt();
    }

    /// Lets everybody who is ready run before going on.
    ///
    /// # Panics
    ///
    /// As [`park`](Self::park).
    #[track_caller]
    #[inline]
    pub(crate) fn yield_now(&self) {
        let me = self.current();
        self.may_wait(me);
        me.waits_on.set("yield");
        me.state.set(FiberState::Ready);
        self.ready.push(me);
        self.run_others(me);
        me.raise_interrupt();
    }

    #[track_caller]
    #[inline]
    fn may_wait(&self, me: &Fiber) {
        if panicking() || self.in_callback.get() || self.shutting_down.get() {
            self.must_not_wait(me);
        }
        me.raise_interrupt();
    }

    #[track_caller]
    #[cold]
    fn must_not_wait(&self, me: &Fiber) {
        assert!(!panicking(), "a greenlet cannot wait while it unwinds");
        assert!(!self.in_callback.get(), "a callback of the hub cannot wait");
        // SAFETY: what is current is alive.
        let unwinder = unsafe { me.core().as_ref() }.unwinder.get();
        let Some(unwinder) = unwinder else { panic!("this thread's hub is ending") };
        // It caught its exit and waits again: that is for its unwinder to judge.
        match switching::deliver(unwinder, Ok(Wake)) {
            Ok(Wake) => panic::resume_unwind(Box::new(GreenletExit)),
            Err(raised) => raised.resume(),
        }
    }

    /// Counts an operation that succeeded without waiting; now and then it yields, so that one
    /// that always succeeds does not starve the others.
    #[track_caller]
    #[inline]
    pub(crate) fn spend_budget(&self) {
        match self.budget.get() {
            // A destructor may go on with what does not wait.
            0 if panicking() => {}
            0 => self.yield_now(),
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
        self.budget.set(BUDGET);
        // A suspended greenlet without a count is unwound, and a guest may have lost its last handle:
        // while it waits here, the hub wants it.
        let _kept = me.keep_guest();
        let brought = match self.next_to_run() {
            Some(next) if ptr::eq(next.as_ptr(), me) => return,
            // SAFETY: a record's greenlet belongs to this thread, and a ready one is alive. It can be
            // switched to: it is suspended in this function, or unstarted with a stack reserved.
            Some(next) => unsafe { switching::transfer_or_deliver(next.as_ref().core(), Wake) },
            None => switching::deliver(Greenlet::<Wake>::root().core_ptr(), Err(self.loop_exit())),
        };
        match brought {
            Ok(Wake) => {}
            Err(raised) => raised.resume(),
        }
    }

    /// The greenlet that runs next, with a stack if it needs one. `None` if there will never be one
    /// and the root waits for something else than the hub.
    #[inline]
    fn next_to_run(&self) -> Option<NonNull<Fiber>> {
        loop {
            let next = self.next()?;
            // SAFETY: what is in the queue is alive.
            let fiber = unsafe { next.as_ref() };
            fiber.state.set(FiberState::Running);
            match fiber.reserve_stack() {
                Ok(()) => return Some(next),
                Err(error) => self.in_callback(|| fiber.cannot_start(SwitchError::Stack(error))),
            }
        }
    }

    /// Runs what must not wait.
    fn in_callback<R>(&self, call: impl FnOnce() -> R) -> R {
        struct Reset<'a>(&'a Cell<bool>, bool);
        impl Drop for Reset<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _reset = Reset(&self.in_callback, self.in_callback.replace(true));
        call()
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
        let me = greenlet_thread::current();
        // SAFETY: what is current is alive. This is the hub's count, and the greenlet ends at once.
        let unwound = unsafe {
            counting::give_up(me);
            me.as_ref().unwinder.get().is_some()
        };
        if self.shutting_down.get() || unwound {
            return;
        }
        match self.next_to_run() {
            // SAFETY: it is ready, has a stack if it needs one, and nothing runs between here and the
            // end of this body.
            Some(next) => unsafe { life::succeed_current(next.as_ref().core()) },
            None => self.loop_exit().resume(),
        }
    }

    /// Who continues when a greenlet ends and its parent, parked, cannot take what it leaves.
    fn pick(&self) -> Result<NonNull<Core>, Raised> {
        let next = self.next_to_run().ok_or_else(|| self.loop_exit())?;
        // SAFETY: what is in the queue is alive.
        let core = unsafe { next.as_ref() }.core();
        // SAFETY: as above.
        let block = unsafe { core.as_ref() };
        if block.phase.get() == Phase::Unstarted {
            life::prepare(block).unwrap_or_else(|error| unreachable!("its stack was reserved: {error}"));
        }
        Ok(core)
    }

    /// The next in the queue. Waits where there is none; `None` if there will never be one and the
    /// root, which waits for something else, has to be told.
    #[inline]
    fn next(&self) -> Option<NonNull<Fiber>> {
        loop {
            match self.round.get() {
                0 => {
                    if !self.turn() && !self.interrupt_root() {
                        return None;
                    }
                }
                left => {
                    self.round.set(left - 1);
                    if let Some(fiber) = self.ready.pop() {
                        return Some(fiber);
                    }
                }
            }
        }
    }

    /// Begins a round: whatever has become ready since the last one began is in it. False if nothing
    /// ever will.
    #[cold]
    #[inline(never)]
    fn turn(&self) -> bool {
        self.remote.drain(self);
        let hope = if self.ready.is_empty() {
            self.wait_for_work()
        } else {
            self.poll_if_due();
            true
        };
        self.round.set(self.ready.len());
        hope
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

    /// Waits for I/O, the next timer or another thread; false if there is none of them.
    fn wait_for_work(&self) -> bool {
        let deadline = self.timers.borrow().next_deadline();
        if deadline.is_none() && !self.poller.has_waiters() && !self.can_be_woken_remotely() {
            return false;
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
        true
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
                Some(Action::Call(call)) => self.in_callback(|| call(self)),
                None => return,
            }
        }
    }

    /// Whether a thread of the pool or the holder of a handle may still wake somebody, or has.
    fn can_be_woken_remotely(&self) -> bool {
        !self.remote_waiters.is_empty() || Arc::strong_count(&self.remote) > 1 || {
            // The last handle may have gone after its last post: the count was lowered last.
            fence(Ordering::Acquire);
            self.remote.has_posts()
        }
    }

    /// Nothing will ever happen here again: tells the root, if it waits in the hub.
    #[cold]
    fn interrupt_root(&self) -> bool {
        let root = Greenlet::<Wake>::root();
        // SAFETY: the root lives as long as its thread, and its record as long as that.
        let fiber = unsafe { root.core_ptr().as_ref().record.get().cast::<Fiber>().as_ref() };
        let parked = fiber.filter(|fiber| fiber.state.get() == FiberState::Parked);
        if let Some(fiber) = parked {
            self.interrupt(fiber, Interrupt::panic(self.who_waits()));
        }
        parked.is_some()
    }

    /// The same for a root that waits for a greenlet which it switched to by hand.
    #[cold]
    fn loop_exit(&self) -> Raised {
        Raised::from_payload(Box::new(self.who_waits()))
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

    /// Whether the thread ends, so that nothing new may start.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.get()
    }

    /// Unwinds every greenlet that the hub knows, while there is still a hub to unwind with.
    fn shut_down(&self) {
        self.shutting_down.set(true);
        self.remote.close();
        self.ready.clear();
        // Dropped where nothing is borrowed: a timer may own anything.
        let timers = self.timers.take();
        drop(timers);
        let known = |core: &Core| !core.record.get().is_null();
        greenlet_thread::for_each(|core| {
            // SAFETY: the record lives as long as its greenlet.
            if let Some(fiber) = unsafe { core.record.get().cast::<Fiber>().as_ref() }
                && core.phase.get() == Phase::Unstarted
            {
                fiber.state.set(FiberState::Ended);
            }
        });
        greenlet_thread::end_all(|core| known(core) || core.waits_for.get() == Tag::PARKED);
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
            // Interrupted: whoever comes here as the next one is running already.
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
        ENDED.set(true);
        // SAFETY: the current greenlet is alive.
        unsafe { greenlet_thread::current().as_ref() }.thread().scheduler.set(None);
        // SAFETY: leaked by `create`; every greenlet that used it is unwound, or abandoned and
        // never continued.
        drop(unsafe { Box::from_raw(hub.as_ptr()) });
    }
}
