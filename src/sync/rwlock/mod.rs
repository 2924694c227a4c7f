//! A value for one writer or many readers.

mod turns;

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use self::turns::{Access, Turns};

/// A value that many greenlets read or one writes, across waits ([`std::sync::RwLock`] for greenlets).
///
/// Everybody is served in the order of asking: a reader that comes while a writer waits, waits behind
/// it. So neither readers nor writers starve, and a greenlet that reads must not ask to read again: if a
/// writer came in between, it would wait for itself.
///
/// There is no poisoning, for the reasons given for [`Mutex`](super::Mutex).
///
/// ```
/// use greenlet::sync::RwLock;
///
/// let prices = RwLock::new(vec![1, 2]);
/// {
///     let (one, other) = (prices.read(), prices.read());
///     assert_eq!(one.len() + other.len(), 4);
///     assert!(prices.try_write().is_none());
/// }
/// prices.write().push(3);
/// assert_eq!(*prices.read(), [1, 2, 3]);
/// ```
pub struct RwLock<T: ?Sized> {
    turns: Turns,
    value: UnsafeCell<T>,
}

/// The value of an [`RwLock`], to read.
#[must_use = "a lock whose guard is not held is unlocked at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

/// The value of an [`RwLock`], to write.
#[must_use = "a lock whose guard is not held is unlocked at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<T> RwLock<T> {
    /// A value that nobody uses.
    pub const fn new(value: T) -> Self {
        Self { turns: Turns::new(), value: UnsafeCell::new(value) }
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, and nobody waits to write who came first.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.turns.enter(Access::Read, None);
        RwLockReadGuard { lock: self }
    }

    /// As [`read`](Self::read), for at most `timeout`.
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        // Not `then_some`, here and below: a guard that is made unlocks.
        self.turns.enter(Access::Read, Some(timeout)).then(|| RwLockReadGuard { lock: self })
    }

    /// The value to read, if nobody writes or waits.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.turns.try_enter(Access::Read).then(|| RwLockReadGuard { lock: self })
    }

    /// Waits until nobody else uses the value.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.turns.enter(Access::Write, None);
        RwLockWriteGuard { lock: self }
    }

    /// As [`write`](Self::write), for at most `timeout`.
    #[track_caller]
    pub fn write_timeout(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        self.turns.enter(Access::Write, Some(timeout)).then(|| RwLockWriteGuard { lock: self })
    }

    /// The value to write, if nobody uses it or waits for it.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.turns.try_enter(Access::Write).then(|| RwLockWriteGuard { lock: self })
    }

    /// The value: nobody else can use it meanwhile.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.turns.leave(Access::Read);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.turns.leave(Access::Write);
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while a reader is inside, nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while a writer is inside, nobody else is.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while a writer is inside, nobody else is.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read() {
            Some(value) => debug.field("value", &&*value),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
