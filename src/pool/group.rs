//! Tasks that belong together.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::crew::Crew;
use super::map::{Imap, ImapUnordered};
use crate::task::{GreenThread, Task, TaskError};
use crate::time::deadline;

/// Tasks that belong together, any number of them, to be waited for or killed at once (gevent's
/// `Group`).
///
/// A task is a member until it has ended. Clones are the same group; dropping them all leaves the
/// members running. A [`Pool`](super::Pool) is a group of a limited size.
///
/// ```
/// use greenlet::pool::Group;
///
/// let group = Group::new();
/// let answer = group.spawn(|| 42);
/// drop(group.spawn(|| greenlet::yield_now()));
/// assert_eq!(group.len(), 2);
/// assert!(group.join(None));
/// assert_eq!(group.len(), 0);
/// assert_eq!(answer.value(), Some(&42));
/// ```
#[derive(Clone)]
pub struct Group {
    crew: Rc<Crew>,
}

impl Group {
    /// A group without members and of any size.
    pub fn new() -> Self {
        Self::of_size(None)
    }

    pub(super) fn of_size(size: Option<usize>) -> Self {
        Self { crew: Crew::new(size) }
    }

    pub(super) fn crew(&self) -> &Rc<Crew> {
        &self.crew
    }

    /// Spawns a member. In a pool that is full this waits for a place, first come, first served.
    ///
    /// A member of a full pool that spawns into it, itself or through a task that it spawned, does not
    /// wait for the other members, which may do the same: the new one starts at once, and the spawner
    /// waits until that has ended.
    #[track_caller]
    pub fn spawn<R: 'static>(&self, body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
        self.crew.spawn(body)
    }

    /// Spawns a member and waits for its result (gevent's `apply`).
    ///
    /// # Errors
    ///
    /// As [`GreenThread::join`].
    #[track_caller]
    pub fn apply<R: 'static>(&self, body: impl FnOnce() -> R + 'static) -> Result<R, TaskError> {
        self.spawn(body).join()
    }

    /// Makes a task a member until it ends. One that has ended does not become one, and one that is a
    /// member stays one. In a pool that is full this waits for a place.
    #[track_caller]
    pub fn add(&self, task: &Task) {
        self.crew.add(task);
    }

    /// Takes a task out of the group; it goes on. False if it is not a member.
    pub fn discard(&self, task: &Task) -> bool {
        self.crew.discard(task)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.crew.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a task is a member.
    pub fn contains(&self, task: &Task) -> bool {
        self.crew.contains(task)
    }

    /// The members, in the order in which they came.
    pub fn members(&self) -> Vec<Task> {
        self.crew.members()
    }

    /// Waits until the group has no members, for at most `timeout` if there is one. Whether that was
    /// so; by the time when the caller goes on, there may be new ones.
    ///
    /// # Panics
    ///
    /// If a member waits.
    #[track_caller]
    pub fn join(&self, timeout: Option<Duration>) -> bool {
        self.crew.join(deadline(timeout))
    }

    /// [Kills](Task::kill) all members, and returns at once; [`join`](Self::join) tells when they are
    /// gone. A member that was killed by this before is not killed again. Built with `panic = "abort"`, this
    /// ends those that have not begun, and leaves the others.
    pub fn kill(&self) {
        self.crew.kill();
    }

    /// Calls `f` with each of `items`, each call in a member of its own, and returns the values in the
    /// order of the items (gevent's `map`).
    ///
    /// # Errors
    ///
    /// The error of the first item that has one. The calls that are still running are killed.
    #[track_caller]
    pub fn map<I, R, F>(&self, items: I, f: F) -> Result<Vec<R>, TaskError>
    where
        I: IntoIterator<Item: 'static>,
        F: Fn(I::Item) -> R + 'static,
        R: 'static,
    {
        self.imap(items, f).collect()
    }

    /// As [`map`](Self::map), but an iterator over the results, errors in their places (gevent's
    /// `imap`).
    ///
    /// Items are taken when a result is asked for: as many as there are places. So there are never more
    /// calls and results than the size of a pool; a group that is none takes all items at once.
    /// Dropped half way, the iterator kills the calls that are still running.
    ///
    /// # Panics
    ///
    /// If the iterator over the items does. The results of those that were taken come after that.
    pub fn imap<I, R, F>(&self, items: I, f: F) -> Imap<I::IntoIter, F, R>
    where
        I: IntoIterator<Item: 'static>,
        F: Fn(I::Item) -> R + 'static,
        R: 'static,
    {
        Imap::new(&self.crew, items, f)
    }

    /// As [`imap`](Self::imap), in the order in which the calls end (gevent's `imap_unordered`).
    pub fn imap_unordered<I, R, F>(&self, items: I, f: F) -> ImapUnordered<I::IntoIter, F, R>
    where
        I: IntoIterator<Item: 'static>,
        F: Fn(I::Item) -> R + 'static,
        R: 'static,
    {
        ImapUnordered::new(&self.crew, items, f)
    }

    /// Calls `f` with a group, and does not return before that has no members: it waits for them if
    /// `f` returns, and kills them if `f` unwinds (gevent's `with` of a greenlet).
    ///
    /// Members that wait to be unwound are then still there when the panic goes on: nothing can wait
    /// for them meanwhile.
    ///
    /// ```
    /// use greenlet::pool::Group;
    ///
    /// let tasks = Group::scope(|group| [1, 2].map(|n| group.spawn(move || n)));
    /// assert!(tasks.iter().all(|task| task.is_finished()));
    /// ```
    #[track_caller]
    pub fn scope<R>(f: impl FnOnce(&Self) -> R) -> R {
        struct KillOnDrop(Group);
        impl Drop for KillOnDrop {
            fn drop(&mut self) {
                self.0.kill();
            }
        }
        let guard = KillOnDrop(Self::new());
        let result = f(&guard.0);
        guard.0.join(None);
        result
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.len()).finish()
    }
}
