//! Ways to wait, all made of parking.

use std::ptr::NonNull;
use std::time::Instant;

use super::wait_queue::Node;
use super::{Action, Hub, RemoteWaker, TimerKey, WaitQueue};

impl Hub {
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
        let node = Node::new(self.current());
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
        let node = Node::new(self.current());
        // SAFETY: the node does not move before its guard takes it out of the queue.
        let _queued = unsafe { queue.enter(&node) };
        let _timer = deadline.map(|deadline| self.wake_at(deadline));
        let unwound = Unwound { node: &node, pass_on };
        self.park(why);
        std::mem::forget(unwound);
        !node.is_queued()
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
}

/// Dropped by a wait that does not return: what was handed over goes to somebody else.
struct Unwound<'a, F: FnMut()> {
    node: &'a Node,
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
