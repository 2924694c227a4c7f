//! Whose turn it is, and what is looked at between rounds.
//!
//! A round runs what was ready when it began. Before the next one the hub empties its inbox, fires
//! the timers that are due and polls for I/O: waiting for it if nobody is ready, and otherwise only
//! now and then.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::{Action, Fiber, Hub, greenlet_thread, memory};
use crate::spin::PATIENCE;

/// With others ready, I/O is polled after this many switches...
const SWITCHES_PER_POLL: usize = 64;
/// ... or after this time, whichever comes first.
const TIME_PER_POLL: Duration = Duration::from_millis(1);

/// What nobody has wanted for so long, of stacks and of pieces of memory, goes back to the system.
pub(super) const EPOCH: Duration = Duration::from_secs(2);

impl Hub {
    /// The next in the queue. Waits where there is none; `None` if there will never be one and the
    /// root, which waits for something else, has to be told; or if the current greenlet [is to
    /// end](Self::is_to_end).
    #[inline(always)]
    pub(super) fn next(&self) -> Option<NonNull<Fiber>> {
        loop {
            match self.round.get() {
                0 => {
                    if !self.turn() {
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
    /// ever will and the root, which waits for something else, has to be told; or if the current greenlet
    /// [is to end](Self::is_to_end).
    #[cold]
    #[inline(never)]
    pub(super) fn turn(&self) -> bool {
        self.turning.set(true);
        greenlet_thread::notice_global_hook();
        let goes_on = self.remote.drain(self)
            && if self.ready.is_empty() { self.wait_for_work() } else { self.poll_if_due() };
        self.round.set(self.ready.len());
        self.turning.set(false);
        goes_on || (!self.is_to_end() && self.interrupt_root())
    }

    /// Polls without waiting, if there is anything to poll for and the last time was long ago. False as for a
    /// [callback](Self::call_back).
    pub(super) fn poll_if_due(&self) -> bool {
        let switches = self.switches_since_poll.get() + self.ready.len();
        self.switches_since_poll.set(switches);
        let timers = !self.timers.borrow().is_empty();
        if !timers && !self.poller.is_watching() {
            return true;
        }
        let now = Instant::now();
        if timers && !self.fire_timers(now) {
            return false;
        }
        if switches >= SWITCHES_PER_POLL || now - self.last_poll.get() >= TIME_PER_POLL {
            self.poll(now, Some(Duration::ZERO));
        }
        true
    }

    /// Waits for I/O, the next timer or another thread; false if there is none of them, or as for a
    /// [callback](Self::call_back).
    pub(super) fn wait_for_work(&self) -> bool {
        if !self.idlers.is_empty() {
            return self.run_idler();
        }
        if !self.has_timers() && !self.poller.has_waiters() && !self.can_be_woken_remotely() {
            return false;
        }
        let deadline = self.timers.borrow().next_deadline();
        let now = Instant::now();
        match deadline {
            Some(deadline) if deadline <= now => {
                let goes_on = self.fire_timers(now);
                self.poll(now, Some(Duration::ZERO));
                goes_on
            }
            Some(deadline) => {
                self.poll(now, Some(deadline - now));
                self.fire_timers(Instant::now())
            }
            None => {
                self.poll(now, None);
                true
            }
        }
    }

    /// Nobody is ready. If a look at timers and I/O does not change that, it is the turn of the first
    /// of those who wait for just this. False as for a [callback](Self::call_back).
    #[cold]
    fn run_idler(&self) -> bool {
        let now = Instant::now();
        let goes_on = self.fire_timers(now);
        if self.poller.is_watching() {
            self.poll(now, Some(Duration::ZERO));
        }
        if self.ready.is_empty() {
            self.idlers.wake_one();
        }
        goes_on
    }

    /// Says whether there may be more events at once. Where a post comes before it would sleep, that goes first,
    /// and it is no poll.
    pub(super) fn poll(&self, now: Instant, timeout: Option<Duration>) -> bool {
        let mut timeout = self.look_after_memory(now, timeout);
        let blocks = timeout != Some(Duration::ZERO);
        if blocks && (self.spin_for_a_post(now, &mut timeout) || !self.remote.begin_sleep()) {
            return true;
        }
        self.last_poll.set(now);
        self.switches_since_poll.set(0);
        let more = self
            .poller
            .wait(timeout, |fiber| self.make_ready(fiber))
            .unwrap_or_else(|error| panic!("this thread's hub cannot poll: {error}"));
        if blocks {
            self.remote.end_sleep();
        }
        more
    }

    /// Somebody has just begun to wait for another thread, which may be about to answer: where it has been worth it
    /// before, stays awake for that. Whether there is a post. Events have to wait meanwhile, and the time since `now` is
    /// taken off the timeout.
    fn spin_for_a_post(&self, now: Instant, timeout: &mut Option<Duration>) -> bool {
        let is_in_time = timeout.is_none_or(|timeout| timeout > PATIENCE);
        if !self.remote_waiters.take_news() || !is_in_time {
            return false;
        }
        let mut habit = self.spins.get();
        let came = habit.spin(|| self.remote.has_posts());
        self.spins.set(habit);
        *timeout = timeout.map(|timeout| timeout.saturating_sub(now.elapsed()));
        came
    }

    /// Gives memory back after a peak. While some is to go later, the hub must not sleep for longer.
    pub(super) fn look_after_memory(&self, now: Instant, timeout: Option<Duration>) -> Option<Duration> {
        // SAFETY: what is current is alive.
        let stacks = unsafe { greenlet_thread::current().as_ref() }.thread().stacks();
        if !stacks.may_be_past_a_peak() && !memory::may_be_past_a_peak() {
            return timeout;
        }
        if now - self.last_epoch.get() >= EPOCH {
            self.last_epoch.set(now);
            stacks.end_epoch();
            memory::end_epoch();
        }
        timeout.map(|timeout| timeout.min(EPOCH)).or(Some(EPOCH))
    }

    /// Fires the timers that are due. False as for a [callback](Self::call_back).
    pub(super) fn fire_timers(&self, now: Instant) -> bool {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                // SAFETY: a timer is cancelled before its greenlet ends.
                Some(Action::Wake(fiber)) => self.make_ready(unsafe { fiber.as_ref() }),
                Some(Action::Call(call)) => {
                    if !self.call_back(|| call(self)) {
                        return false;
                    }
                }
                None => return true,
            }
        }
    }

    /// Whether a thread of the pool or the holder of a handle may still wake somebody, or has.
    pub(super) fn can_be_woken_remotely(&self) -> bool {
        #[cfg(target_os = "linux")]
        if self.has_sleepers() {
            return true;
        }
        !self.remote_waiters.are_woken() || self.remote.has_hope()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::EPOCH;
    use crate::hub::here;
    use crate::hub::memory::{Size, give_back, may_be_past_a_peak, take};

    /// Whoever posts at the right moments, again and again, would keep the hub from its descriptors otherwise.
    #[test]
    fn a_post_that_keeps_the_hub_from_polling_is_not_taken_for_a_poll() {
        let hub = here();
        let last_poll = hub.last_poll.get();
        hub.switches_since_poll.set(7);
        hub.remote.call(|_| ()).expect("it is this thread's");
        assert!(hub.poll(Instant::now(), None));
        assert_eq!((hub.last_poll.get(), hub.switches_since_poll.get()), (last_poll, 7));
    }

    /// It may have come from another thread between the two looks, and with it the last one who could post.
    #[test]
    fn a_post_that_nobody_has_seen_to_is_hope_although_nobody_is_left_who_could_post() {
        let hub = here();
        assert!(!hub.can_be_woken_remotely());
        hub.remote.call(|_| ()).expect("it is this thread's");
        assert!(hub.can_be_woken_remotely());
    }

    #[test]
    fn memory_of_a_peak_is_kept_for_a_whole_epoch_which_the_hub_does_not_sleep_through() {
        static SIZE: Size = Size::of::<[u64; 64]>();
        let hub = here();
        let looks_after = |now| hub.look_after_memory(now, None);
        let peak: Vec<_> = (0..10_000).map(|_| take(&SIZE)).collect();
        let first = hub.last_epoch.get() + EPOCH;
        assert_eq!(looks_after(first), None);
        // SAFETY: each is from `take`, of this size, and not used.
        peak.into_iter().for_each(|piece| unsafe { give_back(piece, &SIZE) });
        // Until now it was in use.
        assert_eq!(looks_after(first), Some(EPOCH));
        assert_eq!(looks_after(first + EPOCH - Duration::from_nanos(1)), Some(EPOCH));
        assert!(may_be_past_a_peak());
        looks_after(first + EPOCH);
        assert!(!may_be_past_a_peak());
        assert_eq!(looks_after(first + EPOCH), None);
    }
}
