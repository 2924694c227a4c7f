//! Mutexes under which nothing panics, so that what they guard is right whatever happens elsewhere.

use std::sync::{Mutex, MutexGuard};

/// Takes the lock, blocking the thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
