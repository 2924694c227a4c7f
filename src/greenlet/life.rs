//! Birth and death.
//!
//! The rules are those of Python's greenlet: a result or an error goes to the parent as it is
//! at death; dead ancestors are skipped, unstarted ones are started with a result and ended by
//! an error.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::chore::Chore;
use super::core::{Core, GreenletBase, Phase, nowhere};
use super::counting::{Kept, free, keep};
use super::error::SwitchError;
use super::parcel::{self, Parcel};
use super::raised::Raised;
use super::tag::{Tag, Wake};
use super::thread::current;
use super::trace::EventKind;
use crate::arch::{self, Message, StackPointer};
use crate::report::{Report, ReportKind};
use crate::stack::{Stack, StackError};

/// Whether this build can raise anything in another greenlet.
pub(crate) const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// Gives an unstarted greenlet a stack that is ready to be switched to.
pub(crate) fn prepare(core: &Core) -> Result<(), StackError> {
    let stack = reserve_stack(core)?;
    // SAFETY: the stack is fresh from the pool, so nobody uses it.
    let stack_pointer =
        unsafe { arch::init_stack::<GreenletBase>(stack.top(), std::ptr::from_ref(core).cast()) };
    core.stack_pointer.set(stack_pointer);
    core.phase.set(Phase::Active);
    Ok(())
}

/// Makes sure that [`prepare`] will not fail.
#[inline]
pub(crate) fn reserve_stack(core: &Core) -> Result<Stack, StackError> {
    if let Some(stack) = core.stack.get() {
        return Ok(stack);
    }
    let stack = core.thread().stacks().borrow_mut().take(core.class.get())?;
    core.stack.set(Some(stack));
    Ok(stack)
}

/// How a body leaves: where control goes, and with what.
pub(crate) struct Departure {
    message: Message,
    /// Null if this stack is the heir's now and the message its first.
    target: StackPointer,
}

/// The bottom of every stack: runs the body of the greenlet that owns it, and of each unstarted
/// parent that the stack passes to when its child ends.
///
/// A body comes back here to leave for good, so that every call on the way is matched by its
/// return and the processor's return predictor stays in step for those who go on.
///
/// # Safety
///
/// Called on the stack of the current greenlet, which was just prepared.
#[inline(always)]
pub(crate) unsafe fn start(first: Message) -> ! {
    let mut message = first;
    loop {
        // SAFETY: the current greenlet is alive; its body is in place until `run` takes it. A
        // target is suspended, or just prepared, and current.
        unsafe {
            let core = current();
            let core = core.as_ref();
            let body = core.body().expect("a greenlet that was prepared has a body");
            let departure = (body.run)(core, message);
            if !departure.target.is_null() {
                arch::resume(departure.target, departure.message);
            }
            message = departure.message;
        }
    }
}

/// Runs a body of type F, which is what [`BodyType::run`](super::core::BodyType) points to.
///
/// # Safety
///
/// `core` is current, on its own stack, with a body of type F; the message is its first.
pub(crate) unsafe fn run<T: 'static, F: FnOnce(T) -> T>(core: &Core, message: Message) -> Departure {
    // SAFETY: the caller's word.
    let (body, first) = unsafe { (core.take_body::<F>(), parcel::open::<T>(message)) };
    let content = match first {
        Ok(value) => catch_unwind(AssertUnwindSafe(|| body(value))).map_err(Raised::from_payload),
        Err(raised) => {
            Err(catch_unwind(AssertUnwindSafe(|| drop(body))).map_or_else(Raised::from_payload, |()| raised))
        }
    };
    finish(core, content)
}

/// Ends the current greenlet and hands what it leaves to its parent: or to its successor, or to who
/// unwinds it.
fn finish<T: 'static>(core: &Core, content: Result<T, Raised>) -> Departure {
    end_locals(core);
    let mut parcel = Parcel { content };
    let successor = core.thread().successor.take();
    let mut next = successor.or(core.parent.get());
    // This greenlet keeps its parent, and that its own, while nobody changes the links. Once
    // destructors have run, who is looked at has to be kept.
    let mut kept: Option<Kept> = None;
    loop {
        // Destructors that run here may begin to unwind this greenlet, or change the links.
        let receiver = core.unwinder.get().or(next).expect("a root lives as long as its thread's greenlets");
        // SAFETY: a successor is ready, an unwinder waits, and a link is counted.
        let receiver = unsafe { receiver.as_ref() };
        if kept.is_some() {
            kept = Some(keep(NonNull::from(receiver)));
        }
        match receiver.phase.get() {
            Phase::Active if parcel.cannot_be_for(receiver.waits_for.get()) => {
                drop(kept);
                return die_into_scheduler(core, parcel);
            }
            Phase::Active => return die_into(core, receiver, parcel, kept),
            // An error passes by a parent that has nothing to run, and leaves it as it is.
            Phase::Unstarted if parcel.content.is_err() && receiver.body().is_none() => {}
            Phase::Unstarted if parcel.content.is_err() => {
                kept = Some(keep(NonNull::from(receiver)));
                end_unstarted(receiver);
            }
            Phase::Unstarted => match receiver.body().map(|body| parcel.suits(body.value)) {
                Some(true) if receiver.class.get() == core.class.get() && receiver.stack.get().is_none() => {
                    return pass_stack_on(core, receiver, parcel, kept);
                }
                Some(true) => match prepare(receiver) {
                    Ok(()) => return die_into(core, receiver, parcel, kept),
                    Err(error) => parcel.refuse(SwitchError::Stack(error)),
                },
                Some(false) => parcel.refuse(SwitchError::wrong_type::<T>()),
                None => parcel.refuse(SwitchError::NoBody),
            },
            Phase::Dead => {}
        }
        next = receiver.parent.get();
    }
}

/// The parent waits in the scheduler, for something else than what its child leaves. That is
/// reported, and whoever is next continues.
fn die_into_scheduler<T: 'static>(core: &Core, parcel: Parcel<T>) -> Departure {
    match parcel.content {
        Ok(value) => {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
                report_dropped(core, payload);
            }
            let why = "its result found its parent waiting for something else";
            Report::new(ReportKind::Undelivered, &describe(core), &why).send();
        }
        Err(raised) => {
            Report::new(ReportKind::Undelivered, &describe(core), &raised).send();
            raised.discard();
        }
    }
    let thread = core.thread();
    let pick = thread.scheduler.get().expect("who waits in a scheduler has one");
    let (next, content) = match pick() {
        Ok(next) => (next, Ok(Wake)),
        Err(raised) => (thread.root(), Err(raised)),
    };
    // SAFETY: the scheduler picks what is suspended or just prepared; the root lives as long as its
    // thread.
    die_into(core, unsafe { next.as_ref() }, Parcel { content }, None)
}

/// Drops the greenlet's local data, on its own stack.
#[inline]
pub(crate) fn end_locals(core: &Core) {
    if let Some(extras) = core.extras() {
        extras.locals.end(|payload| report_dropped(core, payload));
    }
}

/// Ends the current greenlet by continuing `receiver`, which is suspended or just prepared, and which
/// `kept` keeps where links do not.
fn die_into<T: 'static>(
    core: &Core,
    receiver: &Core,
    mut parcel: Parcel<T>,
    kept: Option<Kept>,
) -> Departure {
    let thread = core.thread();
    let waits_for = receiver.waits_for.get();
    let unwanted = waits_for.is(Tag::ANYTHING);
    if !unwanted && !waits_for.is(Tag::NOTHING) && !parcel.suits(waits_for) {
        parcel.refuse(SwitchError::wrong_type::<T>());
    }
    let chore = chore_of_death(core, receiver, &parcel);
    // A larger value stays on the stack that is given back below. The receiver reads it at once,
    // before anybody can take that stack.
    let mut slot = MaybeUninit::uninit();
    let message = match parcel.content {
        Err(raised) if unwanted && raised.is_exit() => parcel::nothing(),
        _ if unwanted => parcel.seal_unwanted(),
        _ => parcel.seal(chore.is_none().then_some(&mut slot)),
    };
    mark_dead(core);
    if let Some(stack) = core.stack.take() {
        // SAFETY: from here on this stack is only left.
        unsafe { thread.stacks().borrow_mut().give_back(stack) };
    }
    thread.make_current(NonNull::from(receiver));
    // What runs needs no count, so this runs nothing.
    drop(kept);
    let target = receiver.stack_pointer.get();
    // SAFETY: the receiver is suspended or just prepared, and now current. What is saved here is
    // not continued.
    unsafe {
        if let Some(chore) = chore {
            chore.switch(thread, &mut std::ptr::null_mut(), receiver, message);
        }
        if core.refs.get() == 0 {
            free(NonNull::from(core));
        }
        if !parcel::fits_in_word::<T>() {
            arch::resume(target, message);
        }
    }
    Departure { message, target }
}

/// What the receiver has to do when `core` ends, because this stack is being left: tell the trace
/// hooks; or free the block, where that runs destructors or lets go of a suspended parent.
fn chore_of_death<T: 'static>(core: &Core, receiver: &Core, parcel: &Parcel<T>) -> Option<Chore> {
    let runs_code_when_freed = || {
        let keeps = |parent: &Core| parent.refs.get() == 1 && !std::ptr::eq(parent, receiver);
        core.extras().is_some() || core.parent().is_some_and(keeps)
    };
    if !core.thread().is_traced() && (core.refs.get() > 0 || !runs_code_when_freed()) {
        return None;
    }
    let unwanted = receiver.waits_for.get().is(Tag::ANYTHING);
    let discard = if unwanted { parcel::discard_unwanted } else { parcel::discard::<T> };
    Chore::of(core, event_of_death(parcel), discard)
}

fn event_of_death<T>(parcel: &Parcel<T>) -> EventKind {
    match &parcel.content {
        Err(raised) if !raised.is_exit() => EventKind::Throw,
        _ => EventKind::Switch,
    }
}

/// Ends the current greenlet and lets an unstarted parent run on its stack: a chain of such
/// parents needs one stack in all.
fn pass_stack_on<T: 'static>(core: &Core, heir: &Core, parcel: Parcel<T>, kept: Option<Kept>) -> Departure {
    let chore = Chore::of(core, event_of_death(&parcel), parcel::discard::<T>);
    let message = parcel.seal(None);
    let stack = core.stack.take().expect("what runs has a stack");
    // SAFETY: this is the stack that runs now.
    unsafe { arch::set_owner(stack.top(), std::ptr::from_ref(heir).cast()) };
    heir.stack.set(Some(stack));
    heir.phase.set(Phase::Active);
    mark_dead(core);
    core.thread().make_current(NonNull::from(heir));
    // What runs needs no count, so this runs nothing.
    drop(kept);
    let message = chore.map_or(message, |chore| chore.settle(message));
    Departure { message, target: std::ptr::null_mut() }
}

fn mark_dead(core: &Core) {
    core.phase.set(Phase::Dead);
    core.stack_pointer.set(nowhere());
    core.waits_for.set(Tag::NOTHING);
}

/// Ends a greenlet that never ran: its body is dropped, unrun.
pub(crate) fn end_unstarted(core: &Core) {
    mark_dead(core);
    if let Some(stack) = core.stack.take() {
        // SAFETY: it was reserved and never used.
        unsafe { core.thread().stacks().borrow_mut().give_back(stack) };
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| core.drop_body())) {
        report_dropped(core, payload);
    }
}

/// Names the greenlet that continues when the current one ends, in place of its parent. It takes a
/// value of the type that the current body returns.
///
/// # Safety
///
/// The successor is suspended, or unstarted with a [reserved](reserve_stack) stack or one of the
/// same class, and stays so: nothing runs before the body returns.
pub(crate) unsafe fn succeed_current(successor: NonNull<Core>) {
    // SAFETY: what is current is alive.
    unsafe { current().as_ref() }.thread().successor.set(Some(successor));
}

/// Reports a panic of a destructor that has no caller to tell.
pub(crate) fn report_dropped(core: &Core, payload: Box<dyn Any + Send>) {
    let raised = Raised::from_payload(payload);
    Report::new(ReportKind::PanickedWhileDropped, &describe(core), &raised).send();
    raised.discard();
}

/// How a report names a greenlet.
pub(crate) fn describe(core: &Core) -> String {
    match core.name() {
        Some(name) => format!("greenlet {} \"{name}\"", core.id.get()),
        None => format!("greenlet {}", core.id.get()),
    }
}
