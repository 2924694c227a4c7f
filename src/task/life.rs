//! How a task begins and ends.
//!
//! A task ends once: with a value or with an error, on its own greenlet; or unrun, by whoever finds
//! that it will not run. Whatever way it is, what was kept for it goes, its links are called, and
//! those who wait for it are woken, in this order.

use std::any::Any;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};

use super::shared::Counted;
use super::{Task, TaskError, links};
use crate::greenlet::core::{BodyType, Core};
use crate::greenlet::counting::{self, keep};
use crate::greenlet::standing::Phase;
use crate::greenlet::storage::{OwnStorage, WhoIsNext};
use crate::greenlet::{Builder, Greenlet, SwitchError, life, storage, thread};
use crate::hub::{self, Fiber, FiberState, Unrun, Wake};
use crate::report::{Report, ReportKind};
use crate::stack::SizeClass;

/// A greenlet for a task. Its count is for the hub, which gives it up in `exit`, or in `let_go` here.
#[inline]
pub(super) fn new_greenlet() -> NonNull<Core> {
    // SAFETY: what is current is alive.
    let spawner = unsafe { thread::current().as_ref() };
    let inherits = spawner.extras().is_some_and(|extras| !extras.context.borrow().is_empty());
    if inherits || OwnStorage::by_default() != OwnStorage::No {
        return new_greenlet_with(Builder::default());
    }
    thread::new_greenlet(Some(spawner.thread().root()), SizeClass::DEFAULT)
}

/// As [`new_greenlet`], with options.
#[cold]
pub(super) fn new_greenlet_with(options: Builder) -> NonNull<Core> {
    let options = options.inherit_context().parent(&Greenlet::<()>::root()).for_values_of::<Wake>();
    ManuallyDrop::new(options.build_without_body()).core_ptr()
}

/// Makes a task of a greenlet that was made for it, parked before its first instruction.
#[inline]
pub(super) fn prepare<F: FnOnce() -> T + 'static, T: 'static>(core: NonNull<Core>, body: F) -> Counted {
    // SAFETY: one was just made, the other is current.
    let (block, spawner) = unsafe { (core.as_ref(), thread::current().as_ref()) };
    // SAFETY: the record is set below.
    let fiber = unsafe { Fiber::spawned(core) };
    let task = Counted::new(fiber, block.id.get(), spawner.id.get(), body);
    if block.extras().is_some() {
        keep_name(block, &task);
    }
    let body = Body(Some(task.clone()));
    set_body(block, move |Wake| body.run());
    block.record.set(task.as_record());
    task
}

fn set_body<F: FnOnce(Wake) -> Wake + 'static>(block: &Core, body: F) {
    block.set_body(body, const { &BodyType::returning::<Wake, F>() });
}

/// The greenlet may be gone before the task is.
#[cold]
fn keep_name(block: &Core, task: &Counted) {
    if let Some(name) = block.name() {
        let _ = task.rare_or_new().name.set(name.into());
    }
}

/// What the greenlet of every task runs.
struct Body(Option<Counted>);

impl Body {
    fn run(mut self) -> Wake {
        let task = self.0.take().expect("a body runs once");
        // Its destructor is for those that never run.
        mem::forget(self);
        // Whoever was told of the switch that brings it here may have ended it before its first instruction.
        if task.is_unstarted() {
            if let Err(payload) = task.run() {
                fail(&task, payload);
            }
            announce(&task);
        }
        leave(task);
        hub::here().exit();
        Wake
    }
}

impl Drop for Body {
    /// Its greenlet is dropped unrun, because the thread ends; or a trace hook has raised something in it
    /// before its first instruction.
    fn drop(&mut self) {
        let Some(task) = self.0.take() else { return };
        let core = task.fiber.core();
        if task.is_unstarted() {
            end_unrun(&task, TaskError::not_started(SwitchError::ThreadEnding));
        }
        if thread::existing_current() == Some(core) {
            leave(task);
            // The hub's, which has started it, and is not told of its end.
            counting::release(core);
        } else {
            // SAFETY: it is still there: its body is being dropped.
            unsafe { core.as_ref() }.record.set(ptr::null_mut());
        }
    }
}

/// Parts the greenlet that runs from its task, which has ended.
#[inline(always)]
fn leave(task: Counted) {
    // SAFETY: what is current is alive.
    let core = unsafe { thread::current().as_ref() };
    // Here a destructor may still wait.
    life::end_locals(core);
    core.record.set(ptr::null_mut());
    if let Some(last) = task.into_last() {
        // All handles are gone, and this drops the value, whatever that does.
        life::quietly(core, || drop(last));
        // It may have made more of them. Nothing of the kind may run once it is settled who is next.
        life::end_locals(core);
    }
    storage::end_storage(core, WhoIsNext::Open);
}

/// Ends a task whose body has not begun to run. Its greenlet is the caller's business.
fn end_unrun(task: &Counted, error: TaskError) {
    let core = task.fiber.core();
    let _kept = keep(core);
    let mut error = Some(error);
    let end = || {
        task.fail(error.take().expect("a task ends once"));
        hub::with_existing(|hub| {
            if let Some(timer) = task.rare().and_then(|rare| rare.start.take()) {
                hub.cancel_timer(timer);
            }
            announce(task);
        });
    };
    // The body's destructor comes last, when all is settled: it may do anything, and wait as well.
    // SAFETY: kept.
    life::quietly(unsafe { core.as_ref() }, || task.drop_body(end));
}

/// Ends a task that has not begun to run, and sees to it that it never does.
pub(super) fn cancel(task: &Counted, error: TaskError) {
    let fiber = &task.fiber;
    // SAFETY: its greenlet has the body, and so is there.
    let has_stack = unsafe { fiber.core().as_ref() }.standing.phase() != Phase::Unstarted;
    if has_stack || fiber.state.get() == FiberState::Running {
        // It is on its way to its first instruction, where it finds that it has ended.
        return end_unrun(task, error);
    }
    let before = task.fiber.state.replace(FiberState::Ended);
    end_unrun(task, error);
    // In the run queue it stays until its turn comes, and is let go then.
    if before != FiberState::Ready {
        // SAFETY: it has not run, and is not going to.
        unsafe { let_go(task.fiber.core()) };
    }
}

/// A task's turn has come, and it does not get to run.
///
/// # Safety
///
/// The greenlet is a task's and has not run, and the hub gives up its count on it.
pub(super) unsafe fn unrun(core: NonNull<Core>, why: Unrun) {
    if let Unrun::NoStack(error) = why {
        // SAFETY: the task is there while its greenlet has the body.
        let task = unsafe {
            let record = NonNull::new(core.as_ref().record.get()).expect("a task's greenlet has its record");
            Counted::of_record(record)
        };
        let error = TaskError::not_started(SwitchError::Stack(error));
        report_failure(&task, &error);
        // Whoever is told of it may have cancelled it.
        if task.is_unstarted() {
            end_unrun(&task, error);
        }
    }
    // SAFETY: the caller's word.
    unsafe { let_go(core) };
}

/// Ends the greenlet of a task that never runs, and gives up the hub's count on it.
///
/// # Safety
///
/// The greenlet has not run, and nobody is going to run it.
unsafe fn let_go(core: NonNull<Core>) {
    // SAFETY: kept by the count.
    let block = unsafe { core.as_ref() };
    block.record.set(ptr::null_mut());
    life::end_unstarted(block);
    counting::release(core);
}

#[cold]
fn fail(task: &Counted, payload: Box<dyn Any + Send>) {
    let error = TaskError::from_payload(payload);
    report_failure(task, &error);
    task.fail(error);
}

/// Reports the error with which a task is about to end, unless it is a kill.
pub(super) fn report_failure(task: &Counted, error: &TaskError) {
    if !error.is_killed() {
        // SAFETY: its greenlet has not ended yet.
        let greenlet = life::describe(unsafe { task.fiber.core().as_ref() });
        Report::new(ReportKind::TaskFailed, &greenlet, error).send();
    }
}

/// Tells everybody who is to be told that the task has ended.
#[inline]
fn announce(task: &Counted) {
    if task.rare().is_some() {
        announce_to_links(task);
    }
    task.waiting.wake_all();
}

#[cold]
fn announce_to_links(task: &Counted) {
    let Some(rare) = task.rare() else { return };
    drop(rare.ident.take());
    let kept = rare.kept.take();
    // SAFETY: its greenlet is ending, and has not ended yet.
    life::quietly(unsafe { task.fiber.core().as_ref() }, || drop(kept));
    links::call_all(&Task::new(task.clone()), &rare.links);
}
