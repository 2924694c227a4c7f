//! Results in the order of spawning.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;

use super::{Group, Pool};
use crate::greenlet::words;
use crate::task::{GreenThread, TaskError};

/// Spawns tasks and gives their results in the order in which they were spawned, errors in their
/// places (eventlet's `GreenPile`).
///
/// Results that nobody asks for pile up, as the name says.
///
/// ```
/// use greenlet::pool::Pile;
///
/// let pile = Pile::of_size(2);
/// for n in 0..4 {
///     pile.spawn(move || n * n);
/// }
/// let squares: Vec<i32> = pile.map(|result| result.unwrap()).collect();
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
pub struct Pile<T: 'static> {
    group: Group,
    tasks: RefCell<VecDeque<GreenThread<T>>>,
}

impl<T: 'static> Pile<T> {
    /// A pile whose tasks are members of this pool or group, perhaps among others.
    pub fn new(group: &Group) -> Self {
        Self { group: group.clone(), tasks: RefCell::default() }
    }

    /// A pile with a pool of its own, of this size.
    pub fn of_size(size: usize) -> Self {
        Self::new(&Pool::new(size))
    }

    /// Spawns a task; waits for room if the pool is full.
    #[track_caller]
    pub fn spawn(&self, body: impl FnOnce() -> T + 'static) {
        let task = self.group.spawn(body);
        words::without_waiting(|| self.tasks.borrow_mut().push_back(task));
    }

    /// How many results there are to come.
    pub fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Whether all results have been taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next result, in the order of spawning, waiting for it if need be; `None` if all that were
    /// spawned by now have been taken. More may be spawned meanwhile, and afterwards.
    ///
    /// # Errors
    ///
    /// As [`GreenThread::join`].
    #[track_caller]
    pub fn next(&self) -> Option<Result<T, TaskError>> {
        // Not held while it waits.
        let task = self.tasks.borrow_mut().pop_front()?;
        let mut waits = Waits { pile: self, task: Some(task) };
        waits.task.as_ref()?.wait(None);
        waits.task.take().map(GreenThread::join)
    }
}

/// Whoever is interrupted while it waits leaves the task to who asks next.
struct Waits<'a, T: 'static> {
    pile: &'a Pile<T>,
    task: Option<GreenThread<T>>,
}

impl<T> Drop for Waits<'_, T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            words::without_waiting(|| self.pile.tasks.borrow_mut().push_front(task));
        }
    }
}

impl<T> Iterator for &Pile<T> {
    type Item = Result<T, TaskError>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Pile::next(self)
    }
}

impl<T> Iterator for Pile<T> {
    type Item = Result<T, TaskError>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        Pile::next(self)
    }
}

impl<T> fmt::Debug for Pile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pile").field("group", &self.group).field("len", &self.len()).finish()
    }
}
