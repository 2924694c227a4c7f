//! The end that items go into.

use std::fmt;
use std::mem::forget;
use std::sync::mpsc::{SendError, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::state::{PassOn, State, Whose};
use crate::hub;
use crate::lock::lock;
use crate::threads::waiters::{Wake, wait};
use crate::time::deadline;

/// The end of a [`channel()`](super::channel) that items go into.
pub struct Sender<T> {
    shared: Arc<Mutex<State<T>>>,
}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<Mutex<State<T>>>) -> Self {
        Self { shared }
    }

    /// Puts an item in; waits while there is no room.
    ///
    /// # Errors
    ///
    /// The item, if there is no receiver any more.
    #[track_caller]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.send_until(item, None).map_err(|refused| match refused {
            TrySendError::Full(item) | TrySendError::Disconnected(item) => SendError(item),
        })
    }

    /// As [`send`](Self::send), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The item, if there was no room in time or there is no receiver any more.
    #[track_caller]
    pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), TrySendError<T>> {
        self.send_until(item, deadline(Some(timeout)))
    }

    /// Puts an item in, if there is room.
    ///
    /// # Errors
    ///
    /// The item, if there is no room or no receiver any more.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        put(lock(&self.shared), item)
    }

    #[track_caller]
    fn send_until(&self, mut item: T, until: Option<Instant>) -> Result<(), TrySendError<T>> {
        hub::spend_budget();
        let next = |state: &mut State<T>| if state.has_room() { state.sending.next() } else { None };
        loop {
            let state = lock(&self.shared);
            if state.bound == 0 {
                return self.meet(state, item, until);
            }
            match put(state, item) {
                Err(TrySendError::Full(refused)) => item = refused,
                result => return result,
            }
            let full = |state: &State<T>| state.receivers > 0 && !state.has_room();
            let pass_on = PassOn { shared: &self.shared, next };
            let wake = wait(&self.shared, |state| &mut state.sending, until, "room in a channel", full);
            forget(pass_on);
            if wake == Wake::TimedOut {
                return Err(TrySendError::Full(item));
            }
        }
    }

    /// Puts an item in and waits until somebody has received it.
    #[track_caller]
    fn meet(
        &self,
        state: MutexGuard<'_, State<T>>,
        item: T,
        until: Option<Instant>,
    ) -> Result<(), TrySendError<T>> {
        if state.receivers == 0 {
            return Err(TrySendError::Disconnected(item));
        }
        let offer = Offer { shared: &self.shared, number: push(state, item, Whose::Senders) };
        loop {
            let waits = |state: &State<T>| state.receivers > 0 && state.holds(offer.number);
            let why = "somebody to receive its item";
            let timed_out =
                wait(&self.shared, |state| &mut state.sending, until, why, waits) == Wake::TimedOut;
            let (alone, held) = {
                let state = lock(&self.shared);
                (state.receivers == 0, state.holds(offer.number))
            };
            if timed_out || alone || !held {
                return match offer.withdraw() {
                    None => Ok(()),
                    Some(item) if alone => Err(TrySendError::Disconnected(item)),
                    Some(item) => Err(TrySendError::Full(item)),
                };
            }
        }
    }
}

/// Puts an item in, if there is room.
fn put<T>(state: MutexGuard<'_, State<T>>, item: T) -> Result<(), TrySendError<T>> {
    match state.receivers {
        0 => Err(TrySendError::Disconnected(item)),
        _ if !state.has_room() => Err(TrySendError::Full(item)),
        _ => {
            push(state, item, Whose::Channels);
            Ok(())
        }
    }
}

/// Puts an item in and wakes a receiver. The item's number.
fn push<T>(mut state: MutexGuard<'_, State<T>>, item: T, whose: Whose) -> u64 {
    let (number, receiver) = state.push(item, whose);
    drop(state);
    if let Some(waker) = receiver {
        waker.wake();
    }
    number
}

/// An item that waits to be received. Dropped, it is taken back.
struct Offer<'a, T> {
    shared: &'a Mutex<State<T>>,
    number: u64,
}

impl<T> Offer<'_, T> {
    fn withdraw(&self) -> Option<T> {
        lock(self.shared).withdraw(self.number)
    }
}

impl<T> Drop for Offer<'_, T> {
    fn drop(&mut self) {
        drop(self.withdraw());
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        lock(&self.shared).senders += 1;
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.senders -= 1;
        if state.senders == 0 {
            let woken = state.receiving.all();
            drop(state);
            woken.for_each(|waker| waker.wake());
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
