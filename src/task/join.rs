//! Waiting for several tasks, or other things.

use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use crate::greenlet::words;
use crate::hub::{Waitable, Watch};
use crate::time::deadline;

/// Waits until all `tasks` have ended, or `timeout` is over; returns those that have, in the order
/// in which they ended (gevent's `joinall`).
///
/// ```
/// use std::time::Duration;
///
/// let tasks = [greenlet::spawn(|| 1), greenlet::spawn(|| 2)];
/// assert_eq!(greenlet::join_all(&tasks, Some(Duration::from_secs(1))).len(), 2);
/// assert_eq!(tasks[1].value(), Some(&2));
/// ```
#[track_caller]
pub fn join_all<W: Waitable>(tasks: impl IntoIterator<Item = W>, timeout: Option<Duration>) -> Vec<W> {
    wait(tasks, timeout, None)
}

/// As [`join_all`], until `count` of them have ended, if a count is given; fewer are enough if there
/// are no more (gevent's `wait`, and `joinall` with a `count`).
///
/// ```
/// use std::time::Duration;
/// use greenlet::{sleep, spawn, wait};
///
/// let tasks = [30, 10, 20].map(|ms| spawn(move || sleep(Duration::from_millis(ms))));
/// let first = wait(&tasks, None, Some(1));
/// assert_eq!(first[0].id(), tasks[1].id());
/// ```
#[track_caller]
pub fn wait<W: Waitable>(
    objects: impl IntoIterator<Item = W>,
    timeout: Option<Duration>,
    count: Option<usize>,
) -> Vec<W> {
    let mut ready = iwait(objects);
    ready.until = deadline(timeout);
    let count = count.unwrap_or(usize::MAX);
    let mut found = Vec::with_capacity(count.min(ready.watch.len()));
    // Not `take`: a closure would hide the caller's place from a LoopExit.
    while found.len() < count
        && let Some(next) = ready.next()
    {
        found.push(next);
    }
    found
}

/// Iterates over `objects` in the order in which they end or become ready, waiting for each (gevent's
/// `iwait`).
///
/// What is ready already comes first. Others may run between two items. Dropped half way, it leaves
/// nothing behind in what it waited for.
///
/// # Panics
///
/// If a task waits for itself so; and as every wait, see [Waiting](crate::hub#waiting). The same goes for [`wait`] and
/// [`join_all`].
///
/// ```
/// use std::time::Duration;
/// use greenlet::{iwait, sleep, spawn};
///
/// let tasks = [30, 10, 20].map(|ms| {
///     spawn(move || {
///         sleep(Duration::from_millis(ms));
///         ms
///     })
/// });
/// let order: Vec<u64> = iwait(tasks).map(|task| task.join().unwrap()).collect();
/// assert_eq!(order, [10, 20, 30]);
/// ```
pub fn iwait<W: Waitable>(objects: impl IntoIterator<Item = W>) -> IWait<W> {
    let objects: Vec<_> = objects.into_iter().map(Some).collect();
    let mut watch = Watch::with_capacity(objects.len());
    for (place, object) in objects.iter().flatten().enumerate() {
        // If it waited, it might be woken between its answer and its watch.
        let watched = words::without_waiting(|| object.watched());
        // SAFETY: the object stays in its place until it is found or the watch is dropped.
        let token = unsafe { watch.add(watched) };
        debug_assert_eq!(token, place);
    }
    IWait { watch, objects, until: None }
}

/// The iterator of [`iwait`].
#[must_use = "an iterator does nothing unless it is used"]
pub struct IWait<W> {
    /// Dropped before what it watches.
    watch: Watch,
    /// At the places that are the watch's tokens.
    objects: Vec<Option<W>>,
    until: Option<Instant>,
}

impl<W> IWait<W> {
    /// Ends the iteration when this time is over.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.until = deadline(Some(timeout));
        self
    }
}

impl<W> Iterator for IWait<W> {
    type Item = W;

    #[track_caller]
    fn next(&mut self) -> Option<W> {
        let found = if self.watch.len() > 0 { self.watch.next(self.until) } else { None };
        self.objects[found?].take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.watch.len()))
    }
}

impl<W> FusedIterator for IWait<W> {}

impl<W> std::fmt::Debug for IWait<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IWait").field("left", &self.watch.len()).finish_non_exhaustive()
    }
}
