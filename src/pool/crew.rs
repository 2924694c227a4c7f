//! What groups and pools are made of: members, and places for them.
//!
//! A member holds its place from the moment it is spawned until it has ended, in whatever way, or
//! was discarded. A place that becomes free while somebody waits for one is given to who has waited
//! longest, so "nobody is left" and "somebody is about to come" cannot be taken for one another.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use slab::Slab;

use super::lineage::{self, Lineage};
use crate::greenlet::Greenlet;
use crate::greenlet::context::Context;
use crate::greenlet::words;
use crate::hub::{self, WaitQueue};
use crate::task::{GreenThread, Task, spawn};

/// The members of a group or pool.
pub(super) struct Crew {
    size: Cell<usize>,
    /// Places of members, and those that were given to a spawner who has not run yet.
    taken: Cell<usize>,
    /// Who waits for a place, and how many that are.
    spawners: WaitQueue,
    waiting: Cell<usize>,
    /// Who waits until nobody is left.
    joiners: WaitQueue,
    members: RefCell<Slab<Member>>,
    /// The number of the next member.
    next: Cell<u64>,
    /// Whether spawning may wait.
    is_limited: bool,
    /// The context of members whose spawner has none.
    context: OnceCell<Context>,
}

struct Member {
    /// In the order of coming; it tells the members apart that have had one place in the table.
    number: u64,
    /// `None` for the moment in which it is spawned.
    task: Option<Task>,
    /// It has been killed once, which is enough.
    dying: bool,
}

impl Crew {
    /// A crew of at most this size, or of any.
    pub(super) fn new(size: Option<usize>) -> Rc<Self> {
        Rc::new(Self {
            size: Cell::new(size.unwrap_or(usize::MAX)),
            is_limited: size.is_some(),
            taken: Cell::new(0),
            spawners: WaitQueue::new(),
            waiting: Cell::new(0),
            joiners: WaitQueue::new(),
            members: RefCell::default(),
            next: Cell::new(0),
            context: OnceCell::new(),
        })
    }

    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    pub(super) fn resize(&self, size: usize) {
        self.size.set(size);
        self.hand_out();
    }

    /// Places that are free; fewer than none if the size was lowered below what is taken.
    pub(super) fn free(&self) -> isize {
        // There is no room in memory for more members than that.
        let size = self.size.get().min(isize::MAX.cast_unsigned());
        size.cast_signed() - self.taken.get().cast_signed()
    }

    pub(super) fn has_place(&self) -> bool {
        self.taken.get() < self.size.get()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    pub(super) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    /// The members, in the order in which they came.
    pub(super) fn members(&self) -> Vec<Task> {
        self.list(|member| member.task.clone())
    }

    /// What is to be had of the members, in the order in which they came.
    fn list<X>(&self, mut find: impl FnMut(&mut Member) -> Option<X>) -> Vec<X> {
        let numbered = |(_, member): (usize, &mut Member)| Some((member.number, find(member)?));
        let mut found: Vec<(u64, X)> =
            words::without_waiting(|| self.members.borrow_mut().iter_mut().filter_map(numbered).collect());
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, found)| found).collect()
    }

    pub(super) fn contains(&self, task: &Task) -> bool {
        self.members.borrow().iter().any(|(_, member)| member.is(task))
    }

    /// Spawns a member, and waits for a place if there is none. Who is a member, or descends from
    /// one, gives its own place for as long as the new one needs it: if it waited for the others to
    /// end, they might be waiting for it.
    #[track_caller]
    pub(super) fn spawn<R: 'static>(self: &Rc<Self>, body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
        if !self.try_take_place() {
            if Lineage::of_current().includes(self) {
                self.taken.set(self.taken.get() + 1);
                let member = self.start(body);
                member.wait(None);
                return member;
            }
            self.wait_for_place(None);
        }
        self.start(body)
    }

    /// Spawns a member if a place is free now; else gives the body back.
    pub(super) fn try_spawn<R: 'static, F: FnOnce() -> R + 'static>(
        self: &Rc<Self>,
        body: F,
    ) -> Result<GreenThread<R>, F> {
        if self.try_take_place() { Ok(self.start(body)) } else { Err(body) }
    }

    /// Spawns a member if a place is free now, or becomes free before `until`; else gives the body
    /// back.
    #[track_caller]
    pub(super) fn spawn_until<R: 'static, F: FnOnce() -> R + 'static>(
        self: &Rc<Self>,
        until: Option<Instant>,
        body: F,
    ) -> Result<GreenThread<R>, F> {
        if self.try_take_place() || self.wait_for_place(until) { Ok(self.start(body)) } else { Err(body) }
    }

    /// Makes a task a member; waits for a place if there is none. It keeps it until it has ended.
    #[track_caller]
    pub(super) fn add(self: &Rc<Self>, task: &Task) {
        if self.contains(task) {
            return;
        }
        if !self.try_take_place() {
            self.wait_for_place(None);
            // Somebody else who waited may have added it.
            if self.contains(task) {
                return self.free_place();
            }
        }
        let place = Place::new(self, Some(task.clone()));
        task.keep_until_end(Box::new(place));
    }

    /// Forgets a member; false if it is none.
    pub(super) fn discard(&self, task: &Task) -> bool {
        let mut members = self.members.borrow_mut();
        let found = members.iter().find(|(_, member)| member.is(task)).map(|(key, _)| key);
        let discarded = found.map(|key| members.remove(key));
        drop(members);
        if discarded.is_some() {
            self.free_place();
        }
        discarded.is_some()
    }

    /// Kills those who are members now, each of them once.
    pub(super) fn kill(&self) {
        let doomed = self.list(|member| {
            let task = member.task.as_ref()?;
            (!std::mem::replace(&mut member.dying, true)).then(|| task.clone())
        });
        for task in doomed {
            // Only a build that cannot unwind refuses, and says so to who kills a task by itself.
            let _ = task.kill();
        }
    }

    /// Waits until nobody is left, at least for a moment; false if `until` comes first.
    #[track_caller]
    pub(super) fn join(&self, until: Option<Instant>) -> bool {
        hub::spend_budget();
        if self.is_deserted() {
            return true;
        }
        let is_member = Task::current().is_some_and(|task| self.contains(&task));
        assert!(!is_member, "a member of a pool or group cannot wait for the end of all members");
        hub::here().wait(&self.joiners, until, "the end of a pool or group")
    }

    fn is_deserted(&self) -> bool {
        self.taken.get() == 0 && self.waiting.get() == 0
    }

    fn try_take_place(&self) -> bool {
        let free = self.has_place();
        if free {
            self.taken.set(self.taken.get() + 1);
        }
        free
    }

    #[track_caller]
    fn wait_for_place(&self, until: Option<Instant>) -> bool {
        struct Waits<'a>(&'a Crew);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.waiting.set(self.0.waiting.get() - 1);
                self.0.hand_out();
            }
        }
        self.waiting.set(self.waiting.get() + 1);
        let _waits = Waits(self);
        hub::here().wait_for_hand_over(&self.spawners, until, "a place in a pool", &|| self.free_place())
    }

    fn free_place(&self) {
        self.taken.set(self.taken.get() - 1);
        self.hand_out();
    }

    /// Gives what is free to those who wait for it, and tells if nobody is left.
    fn hand_out(&self) {
        while self.has_place() && self.spawners.wake_one() {
            self.taken.set(self.taken.get() + 1);
        }
        if self.is_deserted() {
            self.joiners.wake_all();
        }
    }

    /// Spawns a task in a place that was taken for it.
    fn start<R: 'static>(self: &Rc<Self>, body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
        let place = Place::new(self, None);
        let (key, number) = (place.key, place.number);
        let body = move || {
            // Dropped with the body where that never runs.
            let _place = place;
            body()
        };
        // Where nobody ever waits for a place, nobody needs to know who belongs here.
        let green = match self.is_limited {
            true => Greenlet::builder().context(self.context()).spawn(body),
            false => spawn(body),
        };
        if let Some(member) = self.members.borrow_mut().get_mut(key).filter(|member| member.number == number)
        {
            member.task = Some(green.clone());
        }
        green
    }

    /// The context of a new member: that of its spawner, and where it belongs to.
    fn context(self: &Rc<Self>) -> Context {
        let current = Context::current();
        if current.is_empty() {
            let shared = self.context.get().unwrap_or_else(|| {
                words::without_waiting(|| self.context.get_or_init(|| lineage::enter(current, self)))
            });
            shared.clone()
        } else {
            lineage::enter(current, self)
        }
    }
}

impl Member {
    fn is(&self, task: &Task) -> bool {
        self.task.as_ref() == Some(task)
    }
}

/// A member's place, until dropped.
struct Place {
    crew: Rc<Crew>,
    key: usize,
    number: u64,
}

impl Place {
    /// For who has taken it.
    fn new(crew: &Rc<Crew>, task: Option<Task>) -> Self {
        let number = crew.next.get();
        crew.next.set(number + 1);
        let member = Member { number, task, dying: false };
        let key = words::without_waiting(|| crew.members.borrow_mut().insert(member));
        Self { crew: crew.clone(), key, number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.crew.members.borrow_mut();
        // It may have been discarded.
        if members.get(self.key).is_some_and(|member| member.number == self.number) {
            let _member = members.remove(self.key);
            drop(members);
            self.crew.free_place();
        }
    }
}
