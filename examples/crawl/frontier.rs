//! The URLs that are known but not fetched yet, and the end of the crawl.
//!
//! Workers take URLs out and put those they find in. A round is over when none
//! is left *and* none is being worked on, for each of these may bring more.
//! What could not be fetched may be put off to the next round.

use std::cell::{Cell, RefCell};

use greenlet::queue::Queue;
use url::Url;

#[derive(Clone)]
pub struct Target {
    pub url: Url,
    /// Named by the user, not found on a page.
    pub is_start: bool,
}

pub struct Frontier {
    /// None tells a worker to stop.
    queue: Queue<Option<Target>>,
    /// URLs that are queued or being worked on.
    open: Cell<usize>,
    next_round: RefCell<Vec<Target>>,
    closed: Cell<bool>,
}

/// A URL being worked on. It counts as done when this is dropped, even if that
/// is because the worker panics; so the others never wait in vain.
pub struct Work<'a> {
    frontier: &'a Frontier,
    pub target: Target,
}

impl Frontier {
    pub fn new() -> Self {
        Self {
            queue: Queue::unbounded(),
            open: Cell::new(0),
            next_round: RefCell::default(),
            closed: Cell::new(false),
        }
    }

    pub fn add(&self, target: Target) {
        self.open.update(|open| open + 1);
        self.tell(Some(target));
    }

    pub fn put_off(&self, target: Target) {
        self.next_round.borrow_mut().push(target);
    }

    /// Starts a round with what has been put off; false if that is nothing.
    /// To be called while there are no workers.
    pub fn begin_round(&self) -> bool {
        let targets = self.next_round.take();
        if targets.is_empty() || self.closed.get() {
            return false;
        }
        // What told the workers of the last round to stop.
        while self.queue.try_get().is_ok() {}
        for target in targets {
            self.add(target);
        }
        true
    }

    /// Waits for a URL to work on; none means that the round is over.
    pub fn next(&self) -> Option<Work<'_>> {
        match self.queue.get().ok().flatten() {
            Some(target) if !self.closed.get() => Some(Work { frontier: self, target }),
            _ => {
                // Pass it on to the next worker.
                self.tell(None);
                None
            }
        }
    }

    /// Ends the crawl, whatever is left.
    pub fn close(&self) {
        self.closed.set(true);
        self.tell(None);
    }

    fn done(&self) {
        self.open.update(|open| open - 1);
        if self.open.get() == 0 {
            self.tell(None);
        }
    }

    fn tell(&self, workers: Option<Target>) {
        // The queue has room for any number and is never shut down.
        let _ = self.queue.put(workers);
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.frontier.done();
    }
}
