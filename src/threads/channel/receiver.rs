//! The end that items come out of.

use std::fmt;
use std::mem::forget;
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::state::{PassOn, State};
use crate::hub;
use crate::lock::lock;
use crate::threads::waiters::{Wake, wait};
use crate::time::deadline;

/// The end of a [`channel()`](super::channel) that items come out of. Each item goes to one receiver.
pub struct Receiver<T> {
    shared: Arc<Mutex<State<T>>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Mutex<State<T>>>) -> Self {
        Self { shared }
    }

    /// Takes the first item out; waits while there is none.
    ///
    /// # Errors
    ///
    /// If there is none, and no sender any more.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_until(None).map_err(|_| RecvError)
    }

    /// As [`recv`](Self::recv), waiting for at most `timeout`.
    ///
    /// # Errors
    ///
    /// If there was none in time, or there is none and no sender any more.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(deadline(Some(timeout)))
    }

    /// Takes the first item out, if there is one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = lock(&self.shared);
        let Some(item) = state.pop() else {
            let gone = state.senders == 0;
            return Err(if gone { TryRecvError::Disconnected } else { TryRecvError::Empty });
        };
        if state.bound == 0 {
            // Each of them waits for an item of its own to go.
            let woken = state.sending.all();
            drop(state);
            woken.for_each(|waker| waker.wake());
        } else {
            let woken = state.sending.next();
            drop(state);
            woken.into_iter().for_each(|waker| waker.wake());
        }
        Ok(item)
    }

    #[track_caller]
    fn recv_until(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        hub::spend_budget();
        let next = |state: &mut State<T>| if state.is_empty() { None } else { state.receiving.next() };
        loop {
            match self.try_recv() {
                Ok(item) => return Ok(item),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {}
            }
            let empty = |state: &State<T>| state.senders > 0 && state.is_empty();
            let pass_on = PassOn { shared: &self.shared, next };
            let wake = wait(&self.shared, |state| &mut state.receiving, until, "an item in a channel", empty);
            forget(pass_on);
            if wake == Wake::TimedOut {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        lock(&self.shared).receivers += 1;
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.receivers -= 1;
        if state.receivers == 0 {
            let (woken, items) = (state.sending.all(), state.abandoned());
            drop(state);
            woken.for_each(|waker| waker.wake());
            // Last, because they may own anything.
            drop(items);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
