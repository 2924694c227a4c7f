//! Waiting on behalf of code that must not be unwound: the frames of a C library, of another language,
//! or of a libc function that was taken over. Linux only.
//!
//! Nothing here raises. A greenlet that is killed, or out of time, finds its wait
//! [`Interrupted`](Ended::Interrupted) and what is to be raised stays due: the greenlet's own next wait,
//! one of this library's, raises it. Until then every wait here ends at once, so that an error can find
//! its way out of the foreign code.
//!
//! Nothing here takes a lock, and once the hub has grown to the usual load, nothing allocates. Where
//! nothing can be waited for, [`can_wait`] says so, and the caller has to block its thread after all.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::os::fd::AsRawFd;
//! use greenlet::hub::embed::{Ended, POLLIN, can_wait, wait_for_fds};
//!
//! # fn main() -> std::io::Result<()> {
//! let (mut reader, mut writer) = std::io::pipe()?;
//! drop(greenlet::spawn(move || writer.write_all(b"x")));
//! assert!(can_wait());
//! assert_eq!(wait_for_fds([(reader.as_raw_fd(), POLLIN)], None), Ended::Woken);
//! assert_eq!(reader.read(&mut [0; 8])?, 1);
//! # Ok(())
//! # }
//! ```

use std::array;
use std::marker::PhantomPinned;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::thread::panicking;
use std::time::{Duration, Instant};

use super::one_more::OneMore;
use super::poller::Outsider;
use super::remote::Remote;
pub use super::signals::{OnSignal, Signal, note_signal, until_signal, while_handling};
use super::wait_queue::Node;
use super::{BUDGET, Cause, Fiber, FiberState, Hub, Interrupt, existing};
use crate::greenlet::tag::Wake;
use crate::greenlet::words::{self, Hold};
use crate::greenlet::{Raised, life, storage, switching, thread};

/// There is something to read, or the end of it: `POLLIN` of `poll(2)`.
pub const POLLIN: i16 = libc::POLLIN;
/// There is something urgent to read: `POLLPRI`.
pub const POLLPRI: i16 = libc::POLLPRI;
/// There is room to write: `POLLOUT`.
pub const POLLOUT: i16 = libc::POLLOUT;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What was waited for may have come: look again.
    Woken,
    /// The time was over first.
    TimedOut,
    /// The greenlet was killed or its time is over, and is to come to its end.
    Interrupted,
    /// A [signal](Signal) has come, and there was no wait.
    Signalled,
    /// The descriptor was [closed](close_fd) before the greenlet ran again; its number may be another's by now.
    Closed,
    /// The system does not watch this kind of descriptor: operations never wait, as those of a file,
    /// or cannot be waited for.
    CannotWatch,
}

/// Whether this thread has a hub, and so greenlets that could run while somebody waits. Makes none.
#[inline]
pub fn has_hub() -> bool {
    existing().is_some()
}

/// Whether the caller may wait here and now. Not where the thread has no hub; while it unwinds;
/// in what the hub itself does or calls; in a [handler of a signal](while_handling); nor in a forked child
/// before [`after_fork`](super::after_fork), once [`disown`] was called there.
pub fn can_wait() -> bool {
    existing().is_some_and(Hub::is_at_rest)
}

/// Whether something is to be raised in the current greenlet, so that it should come to its end.
pub fn is_interrupted() -> bool {
    existing().is_some_and(|hub| hub.is_at_rest() && hub.current().has_interrupts())
}

/// Counts an operation that need not wait. Now and then it is time to [yield](yield_now) before the
/// next one, so that an operation that never waits does not starve the others: then this is true.
#[inline]
pub fn spend_budget() -> bool {
    let Some(hub) = existing() else { return false };
    let left = hub.budget.get();
    hub.budget.set(left.checked_sub(1).unwrap_or(BUDGET));
    left == 0
}

/// Lets everybody run who is ready. One that is to come to its end does this as well, but is told.
pub fn yield_now() -> Ended {
    match hub_at_rest() {
        Some(hub) => hub.yield_quietly(),
        None => Ended::Woken,
    }
}

/// Waits until `deadline`, or until interrupted. It may be [`Woken`](Ended::Woken) before, by a signal, or for something
/// that has been taken back.
pub fn sleep_until(deadline: Instant) -> Ended {
    match hub_at_rest() {
        Some(hub) if hub.current().has_interrupts() => hub.refuse(),
        Some(hub) => hub.park_quietly(Some(deadline), "a blocking sleep"),
        None => Ended::Woken,
    }
}

/// Waits until one of the descriptors may be ready for what is asked of it, in the terms of `poll(2)`, or
/// until `deadline`. A number below zero is passed over, as there.
///
/// The descriptors are watched for this one wait and their mode is not touched. A wake may be late or for
/// somebody else, so the operation that waits has to be one that does not block. Who waits for a descriptor
/// that is closed by [`close_fd`] is told.
pub fn wait_for_fds<const N: usize>(fds: [(RawFd, i16); N], deadline: Option<Instant>) -> Ended {
    match hub_at_rest() {
        Some(hub) if hub.current().has_interrupts() => hub.refuse(),
        Some(hub) => hub.wait_for_outside_fds(fds, deadline),
        None => Ended::Woken,
    }
}

/// Does a wait of this module in the midst of a call on the descriptor, such as a nap before the next attempt. If
/// that is closed meanwhile by [`close_fd`], the wait ends there and then, as [`Closed`](Ended::Closed).
pub fn unless_closed(fd: RawFd, wait: impl FnOnce() -> Ended) -> Ended {
    let Some(hub) = hub_at_rest() else { return wait() };
    match hub.wait_unless_closed(fd, wait) {
        (true, _) => Ended::Closed,
        (false, ended) => ended,
    }
}

/// To be called before a descriptor is closed or replaced: greenlets of this thread that wait for it by
/// [`wait_for_fds`], or [`unless_closed`], find it [`Closed`](Ended::Closed). So do those that were woken and have
/// not run yet. In a [handler of a signal](while_handling) they are not told.
pub fn close_fd(fd: RawFd) {
    close_fds(fd, fd);
}

/// As [`close_fd`], for all from `first` to `last`.
pub fn close_fds(first: RawFd, last: RawFd) {
    if let Some(hub) = existing().filter(|hub| !hub.is_interrupted_by_a_handler()) {
        hub.poller.outside().close(first..=last, |fiber| hub.make_ready(fiber));
    }
}

/// In a forked child: this thread's hub is the parent's, and nobody waits here any more, until
/// [`after_fork`](super::after_fork) makes a new one. Fit for a handler of `pthread_atfork`.
pub fn disown() {
    if let Some(hub) = existing() {
        hub.disowned.set(true);
    }
}

pub(super) fn hub_at_rest<'a>() -> Option<&'a Hub> {
    existing().filter(|hub| hub.is_at_rest())
}

/// Whether the one who runs must not wait. Destructors of thread-locals may, as nothing here unwinds.
fn is_held() -> bool {
    // SAFETY: the current greenlet is alive.
    let may_wait = || storage::may_wait_quietly(unsafe { thread::current().as_ref() });
    words::held() != Hold::Nothing && !may_wait()
}

impl Hub {
    /// Whether the one who runs is not in the midst of what the hub does.
    fn is_at_rest(&self) -> bool {
        let busy =
            self.turning.get() || is_held() || self.disowned.get() || self.is_interrupted_by_a_handler();
        !busy
            && !panicking()
            && self.timers.try_borrow_mut().is_ok()
            && self.remote_waiters.is_at_rest()
            && self.poller.is_at_rest()
            // Who waits for the first time is given a record, and the allocator may want to wait as well.
            && words::without_waiting(|| self.current()).state.get() == FiberState::Running
    }

    /// As [`park`](Self::park), for one that must not be unwound.
    fn park_quietly(&self, deadline: Option<Instant>, why: &'static str) -> Ended {
        let me = self.current();
        let _timer = deadline.map(|deadline| self.wake_at(deadline));
        me.set_waits_on(why);
        me.state.set(FiberState::Parked);
        match self.run_others_quietly(me) {
            Ended::Woken if deadline.is_some_and(|deadline| deadline <= Instant::now()) => Ended::TimedOut,
            ended => ended,
        }
    }

    fn yield_quietly(&self) -> Ended {
        let me = self.current();
        // SAFETY: what is current is alive.
        if let Some(unwinder) = unsafe { me.core().as_ref() }.unwinder() {
            // It was to end and would rather wait: that is for its unwinder to judge.
            return self.take_in(me, switching::deliver(unwinder, Ok(Wake)).map(|Wake| ()));
        }
        me.set_waits_on("yield");
        me.state.set(FiberState::Ready);
        self.ready.push(me);
        self.run_others_quietly(me)
    }

    fn run_others_quietly(&self, me: &Fiber) -> Ended {
        // SAFETY: what is current is alive.
        let lifted = storage::while_others_run(unsafe { me.core().as_ref() });
        let brought = self.run_others(me);
        drop(lifted);
        self.take_in(me, brought)
    }

    /// What is raised in one that must not be unwound stays due.
    fn take_in(&self, me: &Fiber, brought: Result<(), Raised>) -> Ended {
        match brought {
            Ok(()) if !me.has_interrupts() => return Ended::Woken,
            Ok(()) => {}
            // Nothing has moved: the thread is ending.
            Err(raised) if raised.refusal().is_some() => raised.discard(),
            Err(raised) => {
                let replaced = me.add_interrupt(Interrupt::Unwind(Cause::Kill, raised.into_payload()));
                // SAFETY: what is current is alive.
                life::quietly(unsafe { me.core().as_ref() }, || drop(replaced));
            }
        }
        Ended::Interrupted
    }

    /// Ends the wait of one that is to come to its end. If it goes on all the same, others get a turn now
    /// and then.
    #[cold]
    fn refuse(&self) -> Ended {
        if spend_budget() {
            self.yield_quietly();
        }
        Ended::Interrupted
    }

    fn wait_for_outside_fds<const N: usize>(
        &self,
        fds: [(RawFd, i16); N],
        deadline: Option<Instant>,
    ) -> Ended {
        let nodes: [Node<Outsider>; N] = array::from_fn(|at| Node::new(Outsider::new(fds[at])));
        let park = || self.park_quietly(deadline, "a blocking call on a descriptor");
        match self.wait_outside(&nodes, park) {
            Ok(_) if nodes.iter().any(|node| node.cargo().is_closed()) => Ended::Closed,
            Ok(ended) => ended,
            Err(_) => Ended::CannotWatch,
        }
    }

    /// Until when a greenlet that ends with the thread may wait for what it must have, such as a lock that
    /// another thread is about to give back. All of them together: what never comes is not to keep the
    /// thread, and the program. `None` while the thread goes on.
    fn last_waits_end(&self) -> Option<Instant> {
        const TOGETHER: Duration = Duration::from_millis(250);
        if !self.is_shutting_down() {
            return None;
        }
        let end = self.last_waits.get().unwrap_or_else(|| Instant::now() + TOGETHER);
        self.last_waits.set(Some(end));
        Some(end)
    }

    pub(super) fn has_sleepers(&self) -> bool {
        self.sleepers.get() > 0
    }
}

/// A greenlet that waits for something that any thread may wake it from, without an allocation or a lock
/// on either side. It lives on the waiting greenlet's stack.
///
/// While it [sleeps](Self::sleep), its hub never concludes that nothing can wake it.
///
/// ```
/// use greenlet::hub::embed::{Ended, Sleeper};
///
/// greenlet::yield_now(); // this thread has a hub now
/// // SAFETY: it stays in this function.
/// let sleeper = std::pin::pin!(unsafe { Sleeper::new() }.unwrap());
/// // SAFETY: it exists.
/// unsafe { Sleeper::wake(&raw const *sleeper) };
/// assert_eq!(sleeper.as_ref().sleep(None), Ended::Woken);
/// ```
pub struct Sleeper {
    fiber: NonNull<Fiber>,
    remote: NonNull<Remote>,
    state: AtomicU8,
    /// The one that was rung before it.
    next: AtomicPtr<Sleeper>,
    _pinned: PhantomPinned,
}

const ASLEEP: u8 = 0;
/// In the list of its hub.
const RUNG: u8 = 1;
const WOKEN: u8 = 2;

impl Sleeper {
    /// The current greenlet, about to sleep; `None` where nobody [can wait](can_wait).
    ///
    /// # Safety
    ///
    /// It goes away before that greenlet does, and nobody else sleeps with it: it is a local variable of the
    /// function that sleeps.
    pub unsafe fn new() -> Option<Self> {
        let hub = hub_at_rest()?;
        if hub.last_waits_end().is_some_and(|end| end <= Instant::now()) {
            // Here nobody knows of it yet, so it may be left behind.
            hub.yield_quietly();
        }
        Some(Self {
            fiber: NonNull::from(hub.current()),
            remote: NonNull::from(&*hub.remote),
            state: AtomicU8::new(ASLEEP),
            next: AtomicPtr::new(ptr::null_mut()),
            _pinned: PhantomPinned,
        })
    }

    /// Waits until it is woken, which it may have been before; or until `deadline`; or until the greenlet
    /// is interrupted while it waits. It may return as if woken when it was not: look again.
    ///
    /// What was due before does not end the wait: a lock is waited for to the end. Only when the thread ends
    /// is a wait cut short, and who then waits again and again is left behind: another thread may give a lock
    /// back, but what never comes must not keep the program.
    pub fn sleep(self: std::pin::Pin<&Self>, deadline: Option<Instant>) -> Ended {
        let Some(hub) = hub_at_rest() else { return Ended::Woken };
        let _counted = OneMore::of(&hub.sleepers);
        let until = hub.last_waits_end().into_iter().chain(deadline).min();
        let ended = match self.state.load(Ordering::Acquire) {
            ASLEEP => hub.park_quietly(until, "a blocking call to another thread or greenlet"),
            _ => Ended::Woken,
        };
        match self.state.load(Ordering::Acquire) {
            ASLEEP if ended == Ended::TimedOut && until != deadline => Ended::Interrupted,
            ASLEEP => ended,
            _ => Ended::Woken,
        }
    }

    /// Wakes the greenlet, from any thread, and from a [handler of a signal](while_handling). Once is enough; more
    /// is the same.
    ///
    /// # Safety
    ///
    /// The sleeper exists until this has returned. (Who sleeps and who wakes usually share a lock: the
    /// sleeper is found, and woken, under it, and takes it once more before it goes away.)
    pub unsafe fn wake(this: *const Self) {
        // SAFETY: the caller's word.
        let sleeper = unsafe { &*this };
        if sleeper.state.compare_exchange(ASLEEP, RUNG, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let is_at_hand =
            |hub: &&Hub| ptr::eq(&*hub.remote, sleeper.remote.as_ptr()) && !hub.is_interrupted_by_a_handler();
        match existing().filter(is_at_hand) {
            Some(hub) => sleeper.note(hub),
            // SAFETY: its greenlet exists, and so does its hub.
            None => unsafe { sleeper.remote.as_ref() }.ring_for(this.cast_mut()),
        }
    }

    /// On its own thread: it has been woken.
    pub(super) fn note(&self, hub: &Hub) {
        self.state.store(WOKEN, Ordering::Release);
        // SAFETY: the sleeper goes away before its greenlet, by the word of whoever made it.
        hub.make_ready(unsafe { self.fiber.as_ref() });
    }

    /// The link of a hub's list.
    pub(super) fn next(&self) -> &AtomicPtr<Sleeper> {
        &self.next
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if self.state.load(Ordering::Acquire) == RUNG
            && let Some(hub) = existing()
        {
            hub.remote.wake_sleepers(hub);
        }
    }
}
