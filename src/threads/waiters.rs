//! Who waits for one thing, on whatever threads, first in, first out.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::hub::{self, RemoteWaker};
use crate::lock::lock;

/// A line of greenlets and threads. It lives in the mutex of what they wait for, under which nothing of the
/// user's runs.
#[derive(Default)]
pub(super) struct Waiters {
    /// In the order of their tickets.
    line: VecDeque<(Ticket, Waker)>,
    next: Ticket,
}

type Ticket = u64;

/// Wakes one who has left the line, once the mutex is released.
#[must_use = "whoever was taken out of the line has to be woken"]
pub(super) enum Waker {
    Greenlet(RemoteWaker),
    Thread(Thread),
}

impl Waker {
    pub(super) fn wake(self) {
        match self {
            Self::Greenlet(waker) => waker.wake(),
            Self::Thread(thread) => thread.unpark(),
        }
    }
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// There was nothing to wait for.
    NotNeeded,
    Woken,
    TimedOut,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self { line: VecDeque::new(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Takes the first one out.
    pub(super) fn next(&mut self) -> Option<Waker> {
        self.line.pop_front().map(|(_, waker)| waker)
    }

    /// Takes everybody out.
    pub(super) fn all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.line).into_iter().map(|(_, waker)| waker)
    }

    fn enter(&mut self, waker: Waker) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.line.push_back((ticket, waker));
        ticket
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.line.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }

    /// Gets out of line; false if it was taken out before.
    fn leave(&mut self, ticket: Ticket) -> bool {
        let place = self.place(ticket);
        place.and_then(|place| self.line.remove(place)).is_some()
    }
}

/// Waits in a line in `shared` until somebody takes the caller out and wakes it, or until `until`;
/// unless there is no need. A greenlet parks; a thread without a hub blocks.
#[track_caller]
pub(super) fn wait<S>(
    shared: &Mutex<S>,
    line: fn(&mut S) -> &mut Waiters,
    until: Option<Instant>,
    why: &'static str,
    needed: impl FnOnce(&S) -> bool,
) -> Wake {
    let place = Place { shared, line, ticket: Cell::new(None) };
    let enter = |waker| {
        let mut state = lock(shared);
        if needed(&state) {
            place.ticket.set(Some(line(&mut state).enter(waker)));
        }
        place.ticket.get().is_some()
    };
    match hub::existing() {
        Some(hub) => hub.wait_remotely(|waker| enter(Waker::Greenlet(waker)), until, why),
        None => {
            if enter(Waker::Thread(thread::current())) {
                place.block_thread(until);
            }
        }
    }
    if place.ticket.get().is_none() {
        Wake::NotNeeded
    } else if place.leave() {
        Wake::TimedOut
    } else {
        Wake::Woken
    }
}

/// A place in a line. Dropped, it is left.
struct Place<'a, S> {
    shared: &'a Mutex<S>,
    line: fn(&mut S) -> &mut Waiters,
    ticket: Cell<Option<Ticket>>,
}

impl<S> Place<'_, S> {
    /// Whether it was still there to be left.
    fn leave(&self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        (self.line)(&mut lock(self.shared)).leave(ticket)
    }

    /// Blocks the thread until it is taken out of the line, or until `until`.
    fn block_thread(&self, until: Option<Instant>) {
        loop {
            match until {
                None => thread::park(),
                Some(until) => thread::park_timeout(until.saturating_duration_since(Instant::now())),
            }
            let in_line = |ticket| (self.line)(&mut lock(self.shared)).place(ticket).is_some();
            // A thread may be unparked by anybody.
            let woken = !self.ticket.get().is_some_and(in_line);
            if woken || until.is_some_and(|until| until <= Instant::now()) {
                return;
            }
        }
    }
}

impl<S> Drop for Place<'_, S> {
    fn drop(&mut self) {
        self.leave();
    }
}
