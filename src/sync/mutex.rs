//! A value for one greenlet at a time.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::Semaphore;

/// A value that one greenlet uses at a time, across waits ([`std::sync::Mutex`] for greenlets).
///
/// Greenlets of one thread run one at a time, so what is not used across a wait needs no lock: a
/// `Cell` or a `RefCell` does. This is for what must not be seen between two waits.
///
/// The lock goes from its holder to the one who has waited longest. A greenlet that locks what it
/// holds already waits for itself; see [`RLock`](super::RLock).
///
/// There is no poisoning, as there is none in gevent: a kill or a timeout unwinds its holder as a
/// panic would, and is no sign that anything is broken. A holder that leaves the value in
/// disorder across a wait has to put it in order in a destructor.
///
/// ```
/// use std::rc::Rc;
/// use greenlet::sync::Mutex;
///
/// let log = Rc::new(Mutex::new(Vec::new()));
/// let writers: Vec<_> = (0..3)
///     .map(|writer| {
///         let log = log.clone();
///         greenlet::spawn(move || {
///             let mut log = log.lock();
///             log.push((writer, "begins"));
///             greenlet::yield_now(); // nobody else gets in between
///             log.push((writer, "ends"));
///         })
///     })
///     .collect();
/// greenlet::join_all(&writers, None);
/// assert_eq!(log.lock()[..2], [(0, "begins"), (0, "ends")]);
/// ```
pub struct Mutex<T: ?Sized> {
    /// Has one permit: whoever takes it may use the value.
    lock: Semaphore,
    value: UnsafeCell<T>,
}

/// The value of a locked [`Mutex`]. Dropping it unlocks.
#[must_use = "a mutex whose guard is not held is unlocked at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    /// A value that nobody uses.
    pub const fn new(value: T) -> Self {
        Self { lock: Semaphore::new(1), value: UnsafeCell::new(value) }
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until nobody else uses the value.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock.acquire_by_hand(None, "a mutex");
        MutexGuard { mutex: self }
    }

    /// As [`lock`](Self::lock), for at most `timeout`.
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        // Not `then_some`: a guard that is made unlocks.
        self.lock.acquire_by_hand(Some(timeout), "a mutex").then(|| MutexGuard { mutex: self })
    }

    /// The value, if nobody uses it or waits for it.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.lock.take().then(|| MutexGuard { mutex: self })
    }

    /// The value: nobody else can use it meanwhile.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex that this unlocks.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.lock.give(1);
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is one permit, and this guard has it.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is one permit, and this guard has it.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(value) => debug.field("value", &&*value),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
