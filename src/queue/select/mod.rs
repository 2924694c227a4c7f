//! Whichever of several queues, and other things, is ready first.

mod cases;

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use self::cases::{Case, GetCase, PutCase, WhenCase};
use super::{GetError, PutError, QueueOf, Storage};
use crate::greenlet::thread::on_thread;
use crate::hub::{self, Hub, Ring, Waitable};
use crate::time::deadline;

/// Gets from or puts into whichever of several queues is ready first, or sees that something else has
/// come first (Go's `select`).
///
/// Exactly one of the cases happens. If several could, one of them is chosen at random, so that none
/// of them starves. If none can, the greenlet waits in all of the queues at once, in line with others;
/// whoever wakes it through one of them takes it out of the rest at the same moment. The function of the
/// case that happened makes the result.
///
/// A queue that is [shut down](QueueOf::shutdown) is ready: its case happens, with an error.
///
/// ```
/// use std::time::Duration;
/// use greenlet::queue::{Channel, Queue, Select};
///
/// let (numbers, words) = (Queue::unbounded(), Channel::<String>::new());
/// numbers.put(7).unwrap();
///
/// let heard = Select::new()
///     .get(&numbers, |number| format!("number {}", number.unwrap()))
///     .get(&words, |word| format!("word {}", word.unwrap()))
///     .wait_timeout(Duration::from_secs(1));
/// assert_eq!(heard.unwrap(), "number 7");
///
/// // What is not put stays where it is.
/// let mut word = Some("nobody listens".to_string());
/// let sent = Select::new().put(&words, &mut word, |sent| sent.is_ok()).try_wait();
/// assert_eq!((sent, word.is_some()), (None, true));
/// ```
#[must_use = "nothing is got or put before one of the `wait` functions is called"]
pub struct Select<'a, R> {
    cases: Vec<Box<dyn Case<R> + 'a>>,
}

impl<'a, R> Select<'a, R> {
    /// A choice between no cases yet. With none, waiting lasts until the greenlet is interrupted.
    pub const fn new() -> Self {
        Self { cases: Vec::new() }
    }

    /// The case that there is an item to get.
    pub fn get<S: Storage>(
        mut self,
        queue: &'a QueueOf<S>,
        then: impl FnOnce(Result<S::Item, GetError>) -> R + 'a,
    ) -> Self {
        self.cases.push(Box::new(GetCase::new(queue, then)));
        self
    }

    /// The case that there is room for the item. It is taken out of `item` only if this case happens; if
    /// there is none in it, the case never happens.
    pub fn put<S: Storage>(
        mut self,
        queue: &'a QueueOf<S>,
        item: &'a mut Option<S::Item>,
        then: impl FnOnce(Result<(), PutError<S::Item>>) -> R + 'a,
    ) -> Self {
        self.cases.push(Box::new(PutCase::new(queue, item, then)));
        self
    }

    /// The case that something is so: an [event](crate::sync::Event) is set, a
    /// [result](crate::sync::AsyncResult) is there, a task has ended.
    pub fn when(mut self, what: &'a impl Waitable, then: impl FnOnce() -> R + 'a) -> Self {
        self.cases.push(Box::new(WhenCase::new(what, then)));
        self
    }

    /// Waits until one of the cases happens.
    #[track_caller]
    pub fn wait(self) -> R {
        self.wait_until(None).expect("without a timeout the wait goes on")
    }

    /// As [`wait`](Self::wait), for at most `timeout`. None if nothing has happened by then.
    #[track_caller]
    pub fn wait_timeout(self, timeout: Duration) -> Option<R> {
        self.wait_until(deadline(Some(timeout)))
    }

    /// As [`wait`](Self::wait), without waiting (Go's `default`). None if no case can happen now.
    pub fn try_wait(self) -> Option<R> {
        let happened = self.try_now()?;
        Some(self.finish(happened))
    }

    #[track_caller]
    fn wait_until(self, until: Option<Instant>) -> Option<R> {
        hub::spend_budget();
        if let Some(happened) = self.try_now() {
            return Some(self.finish(happened));
        }
        let hub = hub::here();
        let places = Places::enter(hub, &self.cases);
        hub.park_while(|| places.waits(), until, "one of several queues");
        let happened = places.leave()?;
        self.cases[happened].accept();
        Some(self.finish(happened))
    }

    /// The number of a case that has happened at once, if any could.
    fn try_now(&self) -> Option<usize> {
        let count = self.cases.len();
        let first = random() as usize % count.max(1);
        (first..count).chain(0..first).find(|&number| self.cases[number].try_now())
    }

    fn finish(mut self, happened: usize) -> R {
        self.cases.swap_remove(happened).finish()
    }
}

impl<R> Default for Select<'_, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("cases", &self.cases.len()).finish()
    }
}

/// A greenlet's places in the queues of all cases. Dropped, they are left; what the greenlet was woken
/// for and does not get, because it is unwound, goes to somebody else.
struct Places<'a, 'b, R> {
    cases: &'a [Box<dyn Case<R> + 'b>],
}

impl<'a, 'b, R> Places<'a, 'b, R> {
    fn enter(hub: &Hub, cases: &'a [Box<dyn Case<R> + 'b>]) -> Self {
        let (ring, fiber) = (Ring::new(), hub.current());
        for case in cases {
            // SAFETY: the cases are in boxes and are not touched before the places are left, by the
            // greenlet that enters them.
            unsafe { case.enter(&ring, fiber) };
        }
        Self { cases }
    }

    /// Whether the greenlet has not been woken through any of them.
    fn waits(&self) -> bool {
        !self.cases.iter().any(|case| case.is_woken())
    }

    /// Leaves all of them. The number of the case through which the greenlet was woken, if it was.
    fn leave(self) -> Option<usize> {
        let woken = self.leave_queues();
        std::mem::forget(self);
        woken
    }

    fn leave_queues(&self) -> Option<usize> {
        let woken = self.cases.iter().position(|case| case.is_woken());
        self.cases.iter().for_each(|case| case.leave());
        woken
    }
}

impl<R> Drop for Places<'_, '_, R> {
    fn drop(&mut self) {
        if let Some(woken) = self.leave_queues() {
            self.cases[woken].pass_on();
        }
    }
}

/// Numbers that are good enough to be fair with (xorshift64).
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
    }
    on_thread(|| {
        let mut x = STATE.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        STATE.set(x);
        x
    })
}
