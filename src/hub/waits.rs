//! Ways to wait, all made of parking.

use std::ptr::NonNull;
use std::time::Instant;

use super::wait_queue::{Node, Place};
use super::{Action, Hub, RemoteWaker, TimerKey, WaitQueue};

impl Hub {
    pub(crate) fn set_timer(&self, deadline: Instant, action: Action) -> TimerKey {
        self.timers.borrow_mut().insert(deadline, action)
    }

    /// Cancels a timer; false if it has fired, or was cancelled before.
    pub(crate) fn cancel_timer(&self, key: TimerKey) -> bool {
        // Not dropped in the same statement, where the timers are borrowed: an action may own anything.
        let action = self.timers.borrow_mut().remove(key);
        action.is_some()
    }

    /// Whether a timer was set and has neither fired nor been cancelled.
    pub(crate) fn is_timer_set(&self, key: TimerKey) -> bool {
        self.timers.borrow().contains(key)
    }

    /// Waits until `deadline`.
    #[track_caller]
    pub(crate) fn wait_until(&self, deadline: Instant, why: &'static str) {
        self.park_while(|| true, Some(deadline), why);
    }

    /// A timer that makes the current greenlet ready, while the guard lives.
    pub(super) fn wake_at(&self, deadline: Instant) -> TimerGuard<'_> {
        let fiber = NonNull::from(self.current());
        let key = self.timers.borrow_mut().insert_wake(deadline, fiber);
        TimerGuard { hub: self, key }
    }

    /// Waits in `queue` until it is woken from there; false if `deadline` came first.
    #[track_caller]
    pub(crate) fn wait(&self, queue: &WaitQueue, deadline: Option<Instant>, why: &'static str) -> bool {
        self.wait_for_hand_over(queue, deadline, why, &|| ())
    }

    /// As [`wait`](Self::wait), where the wake hands something over. If the greenlet is unwound
    /// between its wake and its run, `pass_on` gives that to somebody else.
    #[track_caller]
    pub(crate) fn wait_for_hand_over(
        &self,
        queue: &WaitQueue,
        deadline: Option<Instant>,
        why: &'static str,
        pass_on: &dyn Fn(),
    ) -> bool {
        self.wait_with((), queue, deadline, why, pass_on).0
    }

    /// As [`wait_for_hand_over`](Self::wait_for_hand_over), with something for the one who wakes it.
    /// Returns what is left of that as well.
    #[track_caller]
    #[inline]
    pub(crate) fn wait_with<C>(
        &self,
        cargo: C,
        queue: &WaitQueue<C>,
        deadline: Option<Instant>,
        why: &'static str,
        pass_on: &dyn Fn(),
    ) -> (bool, C) {
        let node = Node::new(cargo);
        // SAFETY: the node does not move before its place is left, in this function, where the current
        // greenlet is alive.
        let place = unsafe { Place::in_queue(queue, &node, self.current(), pass_on) };
        self.park_while(|| node.is_queued(), deadline, why);
        let woken = place.leave();
        (woken, node.into_cargo())
    }

    /// Parks as long as the greenlet `waits`, or until `deadline` if there is one.
    ///
    /// That it was made ready is not enough: what was to be raised in it may have been taken back before it ran. Or
    /// the wake was for a wait that this one is inside of, as a trace hook's is.
    #[track_caller]
    #[inline(always)]
    pub(crate) fn park_while(&self, waits: impl Fn() -> bool, deadline: Option<Instant>, why: &'static str) {
        match deadline.map(|deadline| self.wake_at(deadline)) {
            Some(timer) => {
                while waits() && timer.is_set() {
                    self.park(why);
                }
            }
            None => {
                while waits() {
                    self.park(why);
                }
            }
        }
    }

    /// Waits until somebody rings a [`Bell`](super::Bell) of this hub; false if `deadline` came first.
    #[track_caller]
    pub(crate) fn wait_for_bell(&self, deadline: Option<Instant>, why: &'static str) -> bool {
        self.wait(&self.bell, deadline, why)
    }

    /// Has those look again who wait for a bell.
    pub(crate) fn wake_for_bell(&self) {
        self.bell.wake_all();
    }

    /// Waits until nobody else is ready.
    #[track_caller]
    pub(crate) fn idle(&self) {
        self.wait(&self.idlers, None, "nothing else to do");
    }

    /// Waits until another thread uses the waker that `start` is given, or until `deadline`; unless
    /// `start` says that there is nothing to wait for.
    #[track_caller]
    pub(crate) fn wait_remotely(
        &self,
        start: impl FnOnce(RemoteWaker) -> bool,
        deadline: Option<Instant>,
        why: &'static str,
    ) {
        let waiter = self.remote_waiters.enter(self.current());
        if !start(RemoteWaker::new(self.remote.clone(), waiter.key())) {
            return;
        }
        self.park_while(|| !waiter.is_woken(), deadline, why);
    }
}

pub(super) struct TimerGuard<'a> {
    hub: &'a Hub,
    key: TimerKey,
}

impl TimerGuard<'_> {
    /// Whether it has not fired yet.
    fn is_set(&self) -> bool {
        self.hub.is_timer_set(self.key)
    }
}

impl Drop for TimerGuard<'_> {
    fn drop(&mut self) {
        self.hub.cancel_timer(self.key);
    }
}
