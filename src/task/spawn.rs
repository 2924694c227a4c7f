//! Starting tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::GreenThread;
use super::green_thread::Task;
use crate::greenlet::{Builder, Greenlet, Raised, SwitchError, counting, life};
use crate::hub::{self, Action, Fiber, FiberState, Hub, HubGone, HubHandle, Wake};
use crate::report::{Report, ReportKind};

/// Queues `body` to run when the caller next waits, and returns at once.
///
/// Tasks run on this thread, in the order in which they were spawned, each until it waits. They
/// need not be `Send`.
///
/// ```
/// let task = greenlet::spawn(|| 6 * 7);
/// assert_eq!(task.join().unwrap(), 42);
/// ```
pub fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    Greenlet::builder().spawn(body)
}

/// As [`spawn`], after a delay. A zero delay lets what is ready now run first.
pub fn spawn_later<T: 'static>(delay: Duration, body: impl FnOnce() -> T + 'static) -> GreenThread<T> {
    let task = prepare(Greenlet::builder(), body);
    let hub = hub::here();
    if hub.is_shutting_down() {
        end_unrun(&task);
    } else {
        let now = Instant::now();
        let start = now.checked_add(delay).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        let task = task.clone();
        hub.set_timer(start, Action::Call(Box::new(move |hub| hub.make_ready(task.fiber()))));
    }
    GreenThread::new(task)
}

impl Builder<()> {
    /// Spawns a task with these options, see [`spawn`]. A parent that was set does not matter: the
    /// result is for whoever joins.
    pub fn spawn<R: 'static>(self, body: impl FnOnce() -> R + 'static) -> GreenThread<R> {
        let task = prepare(self, body);
        let hub = hub::here();
        if hub.is_shutting_down() {
            end_unrun(&task);
        } else {
            hub.make_ready(task.fiber());
        }
        GreenThread::new(task)
    }
}

impl HubHandle {
    /// Spawns a task on this handle's hub, from any thread. Its result goes nowhere; a panic is
    /// [reported](crate::set_report_hook).
    ///
    /// # Errors
    ///
    /// If the hub's thread has ended. The body is dropped.
    pub fn spawn(&self, body: impl FnOnce() + Send + 'static) -> Result<(), HubGone> {
        self.remote().call(|_: &Hub| drop(spawn(body)))
    }
}

/// Makes a task, parked before its first instruction.
fn prepare<F: FnOnce() -> T + 'static, T: 'static>(options: Builder, body: F) -> Rc<Task<F, T>> {
    let greenlet = options
        .inherit_context()
        .parent(&Greenlet::<()>::root())
        .for_values_of::<Wake>()
        .build_without_body();
    let task = Rc::new(Task::new(Fiber::spawned(greenlet.core_ptr()), body));
    task.fiber().when_it_cannot_start(Rc::as_ptr(&task).cast(), cannot_start::<F, T>);
    greenlet.set_body({
        let task = task.clone();
        move |Wake| run(task)
    });
    greenlet.set_record(task.fiber());
    // From here on this count is the hub's, until `run` or `cannot_start` gives it up.
    std::mem::forget(greenlet);
    task
}

/// The body of every task's greenlet.
fn run<F: FnOnce() -> T, T>(task: Rc<Task<F, T>>) -> Wake {
    let result = match task.take_body() {
        Some(body) => catch_unwind(AssertUnwindSafe(body)).map_err(Raised::from_payload),
        // It was killed before it ran.
        None => Err(Raised::exit()),
    };
    task.end(result);
    Greenlet::<Wake>::current().clear_record();
    // The handle may be gone, and then this drops the result, whatever that does.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(task))) {
        report_panic_of_current(&Raised::from_payload(payload));
    }
    hub::here().exit();
    Wake
}

/// Nothing new starts on a hub that is ending.
fn end_unrun<F, T>(task: &Task<F, T>) {
    task.fiber().state.set(FiberState::Ended);
    task.fiber().cannot_start(SwitchError::ThreadEnding);
}

/// There is no stack for a task that was about to run: it ends without having run.
///
/// # Safety
///
/// `task` is the task of `fiber`, which is alive.
unsafe fn cannot_start<F, T>(fiber: &Fiber, task: *const (), error: SwitchError) {
    let core = fiber.core();
    // SAFETY: the caller's word.
    unsafe { &*task.cast::<Task<F, T>>() }.cannot_start(error);
    // SAFETY: the hub's count is given up below.
    life::end_unstarted(unsafe { core.as_ref() });
    counting::release(core);
}

fn report_panic_of_current(raised: &Raised) {
    let me = Greenlet::<Wake>::current();
    // SAFETY: `me` holds a count.
    let greenlet = life::describe(unsafe { me.core_ptr().as_ref() });
    Report::new(ReportKind::TaskFailed, &greenlet, raised).send();
}
