//! What is called when a task ends.
//!
//! Each link is called in a task of its own, so it may wait, and nothing that it does can hold up
//! or stop another one. These tasks are spawned in the order of registration when the linked task
//! ends, before those who wait for it are woken. Semantics: gevent's `link`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::shared::Counted;
use super::{Task, spawn_for_nobody};
use crate::greenlet::{Greenlet, words};

/// Names a link, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId(u64);

/// Callbacks that wait for their turn, in the order of registration. They will be given an `S`.
pub(crate) struct Callbacks<S> {
    waiting: RefCell<VecDeque<(LinkId, Callback<S>)>>,
    next: Cell<u64>,
}

type Callback<S> = Box<dyn FnOnce(&S)>;

impl<S> Callbacks<S> {
    pub(crate) const fn new() -> Self {
        Self { waiting: RefCell::new(VecDeque::new()), next: Cell::new(0) }
    }

    pub(crate) fn push(&self, callback: Callback<S>) -> LinkId {
        let id = LinkId(self.next.get());
        self.next.set(id.0 + 1);
        words::without_waiting(|| self.waiting.borrow_mut().push_back((id, callback)));
        id
    }

    /// The callback, for its turn or for nothing, unless somebody else has taken it.
    pub(crate) fn take(&self, id: LinkId) -> Option<Callback<S>> {
        let mut waiting = self.waiting.borrow_mut();
        let place = waiting.iter().position(|(other, _)| *other == id)?;
        waiting.remove(place).map(|(_, callback)| callback)
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        words::without_waiting(|| self.waiting.borrow().iter().map(|(id, _)| *id).collect())
    }
}

/// The links of one task.
pub(super) struct Links {
    callbacks: Callbacks<Task>,
    /// How many are waiting or being called.
    unfinished: Cell<usize>,
    /// The numbers of the greenlets that call some.
    callers: RefCell<Vec<u64>>,
}

impl Default for Links {
    fn default() -> Self {
        Self { callbacks: Callbacks::new(), unfinished: Cell::new(0), callers: RefCell::default() }
    }
}

impl Links {
    /// Whether everything that was registered has been called, to its end, or taken back.
    pub(super) fn are_finished(&self) -> bool {
        self.unfinished.get() == 0
    }

    /// Whether the greenlet of this number is in the midst of one.
    pub(super) fn is_called_by(&self, caller: u64) -> bool {
        self.callers.borrow().contains(&caller)
    }
}

/// Has `callback` called when the task ends, or soon if it has ended.
pub(super) fn link(task: &Task, callback: Callback<Task>) -> LinkId {
    let links = &task.shared().rare_or_new().links;
    links.unfinished.set(links.unfinished.get() + 1);
    let id = links.callbacks.push(callback);
    if task.is_finished() {
        call_soon(task, id);
    }
    id
}

/// Takes a link back; false if it has been called.
pub(super) fn unlink(task: &Task, id: LinkId) -> bool {
    let callback = task.shared().rare().and_then(|rare| rare.links.callbacks.take(id));
    callback.map(|_callback| finish_one(task.shared())).is_some()
}

/// The task has ended: every link's turn has come.
#[cold]
pub(super) fn call_all(task: &Task, links: &Links) {
    for id in links.callbacks.ids() {
        call_soon(task, id);
    }
}

fn call_soon(task: &Task, id: LinkId) {
    let due = Due { task: task.clone(), id };
    spawn_for_nobody(move || due.call());
}

/// One link is through.
fn finish_one(task: &Counted) {
    if let Some(rare) = task.rare() {
        let left = rare.links.unfinished.get() - 1;
        rare.links.unfinished.set(left);
        if left == 0 && task.has_ended() {
            // Whoever wants the result for itself waits for the links, too.
            task.waiting.wake_all();
        }
    }
}

/// A link whose turn has come. It may be taken back until it is called.
struct Due {
    task: Task,
    id: LinkId,
}

impl Due {
    fn call(self) {
        let callback = self.task.shared().rare().and_then(|rare| rare.links.callbacks.take(self.id));
        if let Some(callback) = callback {
            let _called = Called::begin(&self.task);
            callback(&self.task);
        }
    }
}

impl Drop for Due {
    /// Where nothing new can run any more, the link is dropped uncalled.
    fn drop(&mut self) {
        unlink(&self.task, self.id);
    }
}

/// A link is called, by the current greenlet, until this is dropped.
struct Called<'a> {
    task: &'a Task,
    caller: u64,
}

impl<'a> Called<'a> {
    fn begin(task: &'a Task) -> Self {
        let caller = Greenlet::<()>::current().id();
        let callers = &task.shared().rare_or_new().links.callers;
        words::without_waiting(|| callers.borrow_mut().push(caller));
        Self { task, caller }
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        if let Some(rare) = self.task.shared().rare() {
            rare.links.callers.borrow_mut().retain(|caller| *caller != self.caller);
        }
        finish_one(self.task.shared());
    }
}
