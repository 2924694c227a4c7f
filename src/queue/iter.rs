//! Taking items until there are no more.

use super::{QueueOf, Storage};

/// Takes items out of a queue until that is shut down and empty. Made by [`QueueOf::iter`].
#[derive(Debug)]
pub struct Iter<'a, S: Storage> {
    queue: &'a QueueOf<S>,
}

impl<S: Storage> QueueOf<S> {
    /// Takes items out, waiting for each, until the queue is [shut down](Self::shutdown) and nothing is
    /// left in it (gevent iterates until it gets a `StopIteration`).
    pub fn iter(&self) -> Iter<'_, S> {
        Iter { queue: self }
    }
}

impl<S: Storage> Iterator for Iter<'_, S> {
    type Item = S::Item;

    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        self.queue.get().ok()
    }
}

impl<'a, S: Storage> IntoIterator for &'a QueueOf<S> {
    type Item = S::Item;
    type IntoIter = Iter<'a, S>;

    fn into_iter(self) -> Iter<'a, S> {
        self.iter()
    }
}
