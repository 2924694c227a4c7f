//! The handle to a task of whatever type.

use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::ident::Ident;
use super::links::{self, LinkId};
use super::shared::Counted;
use crate::greenlet::{Greenlet, thread, words};
use crate::hub::{self, Fiber, Waitable, Watched};
use crate::time::deadline;

/// A handle to a task, whatever its value is: what [`std::thread::Thread`] is to a `JoinHandle`.
///
/// It can be cloned, so any number of holders may wait for a task, [kill](Self::kill) it or
/// [link](Self::link) to it. Dropping it does nothing to the task. The value is for the holder of the
/// [`GreenThread`](crate::GreenThread), which is one of these and more.
///
/// ```
/// use greenlet::{Task, spawn, yield_now};
///
/// let green = spawn(|| 6 * 7);
/// let task: Task = green.clone();
/// assert!(!task.is_finished());
/// yield_now();
/// assert!(task.is_finished());
/// assert_eq!(green.join().unwrap(), 42);
/// ```
#[derive(Clone)]
pub struct Task {
    shared: Counted,
}

impl Task {
    pub(super) fn new(shared: Counted) -> Self {
        Self { shared }
    }

    /// The task that runs now, if what runs is one: not in a thread's root greenlet, nor in one that
    /// was made by hand.
    ///
    /// ```
    /// use greenlet::Task;
    ///
    /// assert!(Task::current().is_none());
    /// let green = greenlet::spawn(|| Task::current().unwrap().id());
    /// assert_eq!(green.id(), green.join().unwrap());
    /// ```
    pub fn current() -> Option<Self> {
        let current = thread::existing_current()?;
        // SAFETY: what is current is alive, and has the record as long as it is there.
        unsafe {
            let record = NonNull::new(current.as_ref().record.get())?;
            record.cast::<Fiber>().as_ref().is_spawned().then(|| Self::new(Counted::of_record(record)))
        }
    }

    pub(super) fn shared(&self) -> &Counted {
        &self.shared
    }

    /// Waits for the task to end, for at most `timeout` if there is one (gevent's `join`). Whether
    /// it has ended.
    ///
    /// # Panics
    ///
    /// If the task waits for itself; and as every wait, see [Waiting](crate::hub#waiting).
    #[track_caller]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        self.wait_until(deadline(timeout))
    }

    #[track_caller]
    fn wait_until(&self, until: Option<Instant>) -> bool {
        if self.is_finished() {
            hub::spend_budget();
        } else {
            self.refuse_itself();
            hub::here().wait(&self.shared.waiting, until, "the end of a task");
        }
        self.is_finished()
    }

    /// Waits until it has ended and nothing looks at its result any more, or until `until`. Whether that is so.
    #[track_caller]
    #[inline]
    pub(super) fn wait_for_result(&self, until: Option<Instant>) -> bool {
        self.is_finished() && self.shared.rare().is_none() || self.wait_for_links(until)
    }

    #[track_caller]
    fn wait_for_links(&self, until: Option<Instant>) -> bool {
        let links_run = || self.shared.rare().is_some_and(|rare| !rare.links.are_finished());
        let mut in_time = self.wait_until(until);
        while in_time && links_run() {
            self.refuse_its_links();
            in_time = hub::here().wait(&self.shared.waiting, until, "the links of a task");
        }
        in_time
    }

    /// A link that waited for all links of its task would wait for itself. One that was killed unwinds at the attempt.
    #[track_caller]
    fn refuse_its_links(&self) {
        let current = Greenlet::<()>::current().id();
        if self.shared.rare().is_some_and(|rare| rare.links.is_called_by(current)) {
            hub::here().current().raise_interrupt();
            panic!("a link cannot take the result of its own task: it is called before that");
        }
    }

    /// Nobody can wait for its own end, but one who was killed unwinds at the attempt.
    #[track_caller]
    fn refuse_itself(&self) {
        if hub::existing().is_some_and(|hub| self.is(hub.current())) {
            self.shared.fiber.raise_interrupt();
            panic!("a task cannot wait for its own end");
        }
    }

    pub(super) fn is(&self, fiber: &Fiber) -> bool {
        std::ptr::eq(&self.shared.fiber, fiber)
    }

    /// Whether the body has begun to run; that stays so when it has ended (gevent's `started`).
    pub fn is_started(&self) -> bool {
        self.shared.has_started()
    }

    /// Whether the task has ended, in whatever way (gevent's `ready`).
    pub fn is_finished(&self) -> bool {
        self.shared.has_ended()
    }

    /// Whether the task has ended without a panic (gevent's `successful`): a kill counts as success
    /// there, and here.
    pub fn is_successful(&self) -> bool {
        self.shared.is_successful()
    }

    /// The number of its greenlet, which no other one of this thread has or will have.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The name that its [builder](crate::Builder::name) gave it.
    pub fn name(&self) -> Option<&str> {
        self.shared.rare()?.name.get().map(|name| &**name)
    }

    /// A small number that no other task of this thread has which has not ended and was asked for
    /// its own (gevent's `minimal_ident`). It is given at the first call, from 0 up, and again to
    /// somebody else after the end: `None` then.
    pub fn minimal_ident(&self) -> Option<usize> {
        if self.is_finished() {
            return None;
        }
        let cell = &self.shared.rare_or_new().ident;
        let ident = cell.take().unwrap_or_else(Ident::take);
        let number = ident.number();
        cell.set(Some(ident));
        Some(number)
    }

    /// The number of the greenlet that spawned it, which may be gone (gevent's `spawning_greenlet`).
    /// 0 is the thread's root. Those who want more inherited by what they spawn set it in their
    /// [context](crate::context).
    pub fn spawner(&self) -> u64 {
        self.shared.spawner
    }

    /// Calls `callback` with the task when it has ended, or soon if it has ended already (gevent's
    /// and eventlet's `link`).
    ///
    /// Links are begun in the order of their registration, and before those go on who waited for the task
    /// by then. Each has a task of its own: it may wait, and if it panics that is
    /// [reported](crate::set_report_hook) and the others are called all the same.
    /// [`join`](crate::GreenThread::join) waits until they have returned, too, and [`wait`](Self::wait) does not.
    ///
    /// ```
    /// let task = greenlet::spawn(|| 1);
    /// task.link(|task| assert!(task.is_successful()));
    /// task.join().unwrap();
    /// ```
    pub fn link(&self, callback: impl FnOnce(&Task) + 'static) -> LinkId {
        links::link(self, Box::new(callback))
    }

    /// Takes a link back. False if it has been called, or taken back before.
    pub fn unlink(&self, id: LinkId) -> bool {
        links::unlink(self, id)
    }

    /// Keeps something until the task has ended; drops it at once if it has.
    pub(crate) fn keep_until_end(&self, kept: Box<dyn Any>) {
        if !self.is_finished() {
            let rare = self.shared.rare_or_new();
            words::without_waiting(|| rare.kept.borrow_mut().push(kept));
        }
    }
}

impl Waitable for Task {
    #[track_caller]
    fn watched(&self) -> Watched<'_> {
        self.refuse_itself();
        Watched { is_ready: self.is_finished(), waiting: &self.shared.waiting }
    }
}

impl AsRef<Task> for Task {
    fn as_ref(&self) -> &Task {
        self
    }
}

/// Whether both are the same task.
impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.shared.fiber)
    }
}

impl Eq for Task {}

impl std::hash::Hash for Task {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("started", &self.is_started())
            .field("finished", &self.is_finished())
            .field("successful", &self.is_successful())
            .finish()
    }
}
