//! Calling a function with many items, so many at a time.
//!
//! There is no task that feeds the others: whoever asks for a result first spawns what there is room
//! for. So nothing runs ahead of the consumer by more than the size of the pool, and what the
//! iterator over the items does, it does to the consumer.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::crew::Crew;
use crate::hub::{Waitable, Watch};
use crate::task::{GreenThread, Task, TaskError};

/// Results in the order of the items: the iterator of [`Group::imap`](super::Group::imap).
#[must_use = "an iterator does nothing unless it is used"]
pub struct Imap<I, F, R: 'static> {
    feed: Feed<I, F>,
    running: VecDeque<GreenThread<R>>,
}

/// Results in the order of their completion: the iterator of
/// [`Group::imap_unordered`](super::Group::imap_unordered).
#[must_use = "an iterator does nothing unless it is used"]
pub struct ImapUnordered<I, F, R: 'static> {
    feed: Feed<I, F>,
    /// Dropped before what it watches.
    watch: Watch,
    /// At the places that are the watch's tokens.
    running: Vec<Option<GreenThread<R>>>,
}

/// Where calls come from.
struct Feed<I, F> {
    crew: Rc<Crew>,
    /// `None` when they have ended, in whatever way.
    items: Option<I>,
    f: Rc<F>,
}

impl<I, F, R> Feed<I, F>
where
    I: Iterator<Item: 'static>,
    F: Fn(I::Item) -> R + 'static,
{
    fn new(crew: &Rc<Crew>, items: impl IntoIterator<IntoIter = I>, f: F) -> Self {
        Self { crew: crew.clone(), items: Some(items.into_iter()), f: Rc::new(f) }
    }

    /// Spawns the next call, if there is room beside so many that are running, and a next item.
    #[track_caller]
    fn spawn_next(&mut self, running: usize) -> Option<GreenThread<R>>
    where
        R: 'static,
    {
        // With none running there is nobody else to wait for than a place.
        if running > 0 && (running >= self.crew.size() || !self.crew.has_place()) {
            return None;
        }
        // Taken out, so that an iterator that panics is not asked again.
        let mut items = self.items.take()?;
        let item = items.next()?;
        self.items = Some(items);
        let f = self.f.clone();
        Some(self.crew.spawn(move || f(item)))
    }
}

impl<I, F, R> Imap<I, F, R>
where
    I: Iterator<Item: 'static>,
    F: Fn(I::Item) -> R + 'static,
{
    pub(super) fn new(crew: &Rc<Crew>, items: impl IntoIterator<IntoIter = I>, f: F) -> Self {
        Self { feed: Feed::new(crew, items, f), running: VecDeque::new() }
    }
}

impl<I, F, R> Iterator for Imap<I, F, R>
where
    I: Iterator<Item: 'static>,
    F: Fn(I::Item) -> R + 'static,
{
    type Item = Result<R, TaskError>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        while let Some(call) = self.feed.spawn_next(self.running.len()) {
            self.running.push_back(call);
        }
        // It stays in its place until it has ended: if this is unwound, it is to be killed.
        self.running.front()?.wait(None);
        self.running.pop_front().map(GreenThread::join)
    }
}

impl<I, F, R> ImapUnordered<I, F, R>
where
    I: Iterator<Item: 'static>,
    F: Fn(I::Item) -> R + 'static,
{
    pub(super) fn new(crew: &Rc<Crew>, items: impl IntoIterator<IntoIter = I>, f: F) -> Self {
        Self { feed: Feed::new(crew, items, f), watch: Watch::with_capacity(1), running: Vec::new() }
    }
}

impl<I, F, R> Iterator for ImapUnordered<I, F, R>
where
    I: Iterator<Item: 'static>,
    F: Fn(I::Item) -> R + 'static,
{
    type Item = Result<R, TaskError>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        while let Some(call) = self.feed.spawn_next(self.watch.len()) {
            // SAFETY: the task is kept until it is found or the watch is dropped.
            let token = unsafe { self.watch.add(call.watched()) };
            if token == self.running.len() {
                self.running.push(None);
            }
            self.running[token] = Some(call);
        }
        if self.watch.len() == 0 {
            return None;
        }
        let token = self.watch.next(None)?;
        self.running[token].take().map(GreenThread::join)
    }
}

impl<I, F, R> Drop for Imap<I, F, R> {
    fn drop(&mut self) {
        self.running.iter().for_each(|call| abandon(call));
    }
}

impl<I, F, R> Drop for ImapUnordered<I, F, R> {
    fn drop(&mut self) {
        self.running.iter().flatten().for_each(|call| abandon(call));
    }
}

fn abandon(call: &Task) {
    // In a build that cannot unwind it goes on.
    let _ = call.kill();
}

impl<I, F, R> fmt::Debug for Imap<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl<I, F, R> fmt::Debug for ImapUnordered<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered").field("running", &self.watch.len()).finish_non_exhaustive()
    }
}
