//! Groups of a limited size.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use super::Group;
use crate::task::GreenThread;
use crate::time::deadline;

/// A [`Group`] of at most so many members; spawning more waits until one has ended (gevent's `Pool`,
/// eventlet's `GreenPool`).
///
/// ```
/// use greenlet::pool::Pool;
///
/// let pool = Pool::new(2);
/// let lengths = pool.map(["one", "three", "eleven"], str::len).unwrap();
/// assert_eq!(lengths, [3, 5, 6]);
/// ```
#[derive(Clone)]
pub struct Pool {
    group: Group,
}

impl Pool {
    /// A pool of this size. One of size 0 lets nobody in until it is [resized](Self::resize).
    pub fn new(size: usize) -> Self {
        Self { group: Group::of_size(Some(size)) }
    }

    /// As [`spawn`](Group::spawn), if there is room.
    ///
    /// # Errors
    ///
    /// The body, if the pool is full (gevent's `PoolFull`).
    pub fn try_spawn<R: 'static, F: FnOnce() -> R + 'static>(&self, body: F) -> Result<GreenThread<R>, F> {
        self.group.crew().try_spawn(body)
    }

    /// As [`spawn`](Group::spawn), waiting for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// The body, if the pool stayed full.
    #[track_caller]
    pub fn spawn_timeout<R: 'static, F: FnOnce() -> R + 'static>(
        &self,
        timeout: Duration,
        body: F,
    ) -> Result<GreenThread<R>, F> {
        self.group.crew().spawn_until(deadline(Some(timeout)), body)
    }

    /// How many members there may be.
    pub fn size(&self) -> usize {
        self.group.crew().size()
    }

    /// Changes how many members there may be. Those who wait for room get what there is more; if it is
    /// less, those who are there stay until they end.
    pub fn resize(&self, size: usize) {
        self.group.crew().resize(size);
    }

    /// How many more members there may be; fewer than none if the pool was made smaller than what is
    /// in it.
    pub fn free(&self) -> isize {
        self.group.crew().free()
    }

    /// Whether spawning would wait.
    pub fn is_full(&self) -> bool {
        !self.group.crew().has_place()
    }

    /// How many greenlets wait for room.
    pub fn waiting(&self) -> usize {
        self.group.crew().waiting()
    }
}

impl Deref for Pool {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.group
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("members", &self.len())
            .field("waiting", &self.waiting())
            .finish()
    }
}
