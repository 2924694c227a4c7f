//! Birth, death, and what leads from one to the other.
//!
//! The rules are those of Python's greenlet: a result or an error goes to the parent as it is
//! at death; dead ancestors are skipped, unstarted ones are started with a result and ended by
//! an error; the last handle of a suspended greenlet unwinds it where it is dropped.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::chore::Chore;
use super::core::{Core, GreenletBase, Phase, nowhere};
use super::error::{KillError, SwitchError};
use super::parcel::{self, Parcel};
use super::raised::Raised;
use super::switching::{discard, raise_in};
use super::tag::Tag;
use super::thread::current;
use super::trace::EventKind;
use crate::arch::{self, Message, StackPointer};
use crate::report::{Report, ReportKind};
use crate::stack::StackError;

/// Whether this build can raise anything in another greenlet.
pub(crate) const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// Gives an unstarted greenlet a stack that is ready to be switched to.
pub(crate) fn prepare(core: &Core) -> Result<(), StackError> {
    let stack = core.thread().stacks().borrow_mut().take(core.class.get())?;
    // SAFETY: the stack is fresh from the pool, so nobody uses it.
    let stack_pointer =
        unsafe { arch::init_stack::<GreenletBase>(stack.top(), std::ptr::from_ref(core).cast()) };
    core.stack_pointer.set(stack_pointer);
    core.stack.set(Some(stack));
    core.phase.set(Phase::Active);
    Ok(())
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

/// Ends the current greenlet and hands what it leaves to its parent.
fn finish<T: 'static>(core: &Core, content: Result<T, Raised>) -> Departure {
    let mut parcel = Parcel { content };
    let successor = core.thread().successor.take();
    // SAFETY: a successor is suspended or about to start, so it is alive.
    let successor = successor.map(|successor| unsafe { successor.as_ref() });
    let mut receiver = successor.or(core.parent()).expect("only a root has no parent, and it has no body");
    loop {
        match receiver.phase.get() {
            Phase::Active => break,
            Phase::Unstarted if parcel.content.is_err() => end_unstarted(receiver),
            Phase::Unstarted => match receiver.body().map(|body| parcel.suits(body.value)) {
                Some(true) if receiver.class.get() == core.class.get() => {
                    return pass_stack_on(core, receiver, parcel);
                }
                Some(true) => match prepare(receiver) {
                    Ok(()) => break,
                    Err(error) => parcel.refuse(SwitchError::Stack(error)),
                },
                Some(false) => parcel.refuse(SwitchError::wrong_type::<T>()),
                None => parcel.refuse(SwitchError::NoBody),
            },
            Phase::Dead => {}
        }
        receiver = receiver.parent().expect("a root lives as long as its thread's greenlets");
    }
    die_into(core, receiver, parcel)
}

/// Ends the current greenlet by continuing `receiver`, which is suspended or just prepared.
fn die_into<T: 'static>(core: &Core, receiver: &Core, mut parcel: Parcel<T>) -> Departure {
    let thread = core.thread();
    let waits_for = receiver.waits_for.get();
    if waits_for == Tag::ANYTHING {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| parcel.discard_value())) {
            parcel.content = Err(Raised::from_payload(payload));
        }
    } else if waits_for != Tag::NOTHING && !parcel.suits(waits_for) {
        parcel.refuse(SwitchError::wrong_type::<T>());
    }
    let chore = chore_of_death(core, receiver, &parcel);
    // A larger value stays on the stack that is given back below. The receiver reads it at once,
    // before anybody can take that stack.
    let mut slot = MaybeUninit::uninit();
    let message = parcel.seal(chore.is_none().then_some(&mut slot));
    mark_dead(core);
    if let Some(stack) = core.stack.take() {
        // SAFETY: from here on this stack is only left.
        unsafe { thread.stacks().borrow_mut().give_back(stack) };
    }
    thread.make_current(NonNull::from(receiver));
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

/// What the receiver has to do when `core` ends: tell the trace hooks, or free the block where that
/// lets go of a suspended parent, which then has to be unwound. This stack is being left.
fn chore_of_death<T: 'static>(core: &Core, receiver: &Core, parcel: &Parcel<T>) -> Option<Chore> {
    let keeps_parent =
        || core.parent().is_some_and(|parent| parent.refs.get() == 1 && !std::ptr::eq(parent, receiver));
    if !core.thread().is_traced() && (core.refs.get() > 0 || !keeps_parent()) {
        return None;
    }
    Chore::of(core, event_of_death(parcel), discard::<T>)
}

fn event_of_death<T>(parcel: &Parcel<T>) -> EventKind {
    match &parcel.content {
        Err(raised) if !raised.is_exit() => EventKind::Throw,
        _ => EventKind::Switch,
    }
}

/// Ends the current greenlet and lets an unstarted parent run on its stack: a chain of such
/// parents needs one stack in all.
fn pass_stack_on<T: 'static>(core: &Core, heir: &Core, parcel: Parcel<T>) -> Departure {
    let chore = Chore::of(core, event_of_death(&parcel), discard::<T>);
    let message = parcel.seal(None);
    let stack = core.stack.take().expect("what runs has a stack");
    // SAFETY: this is the stack that runs now.
    unsafe { arch::set_owner(stack.top(), std::ptr::from_ref(heir).cast()) };
    heir.stack.set(Some(stack));
    heir.phase.set(Phase::Active);
    mark_dead(core);
    core.thread().make_current(NonNull::from(heir));
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
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| core.drop_body())) {
        Report::new(ReportKind::PanickedWhileDropped, &describe(core), &Raised::from_payload(payload)).send();
    }
}

/// Names the greenlet that continues when the current one ends, in place of its parent. It takes a
/// value of the type that the current body returns.
///
/// # Safety
///
/// The successor is suspended or unstarted and stays so: nothing runs before the body returns.
pub(crate) unsafe fn succeed_current(successor: NonNull<Core>) -> Result<(), SwitchError> {
    // SAFETY: the caller's word; what is current is alive.
    let (me, to) = unsafe { (current().as_ref(), successor.as_ref()) };
    if to.phase.get() == Phase::Unstarted && to.class.get() != me.class.get() {
        prepare(to).map_err(SwitchError::Stack)?;
    }
    me.thread().successor.set(Some(successor));
    Ok(())
}

/// Whether somebody waits, as its parent, for this greenlet to be unwound.
pub(crate) fn is_being_unwound(core: NonNull<Core>) -> bool {
    // SAFETY: the caller has a live greenlet.
    let parent = unsafe { core.as_ref() }.parent();
    parent.is_some_and(|parent| parent.waits_for.get() == Tag::ANYTHING)
}

/// Raises [`GreenletExit`](super::GreenletExit) in a suspended greenlet, as its parent for the
/// time of it, and returns when control comes back.
pub(crate) fn unwind(core: NonNull<Core>) -> Result<(), KillError> {
    if !CAN_UNWIND {
        return Err(KillError::CannotUnwind);
    }
    // SAFETY: the caller holds a count on the victim; what is current is alive.
    let (victim, me) = unsafe { (core.as_ref(), current().as_ref()) };
    let parent = victim.parent.replace(Some(NonNull::from(me)));
    retain(NonNull::from(me));
    me.waits_for.set(Tag::ANYTHING);
    // SAFETY: the victim is suspended.
    let landed = unsafe { raise_in(me, victim, Raised::exit()) };
    // SAFETY: what is sent to one who waits for anything has its value discarded.
    let raised = unsafe { parcel::open::<()>(landed) }.err().filter(|raised| !raised.is_exit());
    let replaced = if victim.parent.get() == Some(NonNull::from(me)) {
        victim.parent.replace(parent)
    } else {
        // It chose another parent on its way out.
        parent
    };
    if let Some(link) = replaced {
        release(link);
    }
    match raised {
        _ if !victim.is_dead() => Err(KillError::Refused),
        Some(raised) => Err(KillError::Panicked(raised)),
        None => Ok(()),
    }
}

/// Unwinds a greenlet because its thread ends.
pub(crate) fn unwind_for_thread_end(core: NonNull<Core>) {
    retain(core);
    unwind_or_abandon(core);
    release(core);
}

/// One more count.
#[inline]
pub(crate) fn retain(core: NonNull<Core>) {
    // SAFETY: whoever has the pointer keeps the block alive.
    let refs = unsafe { &core.as_ref().refs };
    let count = refs.get().checked_add(1).expect("fewer than 2^32 handles of one greenlet");
    refs.set(count);
}

/// One count less for the current greenlet, which is about to end.
///
/// # Safety
///
/// The caller holds the count, and its body returns at once.
pub(crate) unsafe fn give_up_count(core: NonNull<Core>) {
    // SAFETY: the caller's word.
    let refs = unsafe { &core.as_ref().refs };
    refs.set(refs.get() - 1);
}

/// One count less. At zero a suspended greenlet is unwound here and now.
#[inline]
pub(crate) fn release(core: NonNull<Core>) {
    // SAFETY: the count being given up kept the block alive.
    let refs = unsafe { &core.as_ref().refs };
    refs.set(refs.get() - 1);
    if refs.get() == 0 {
        settle(core);
    }
}

/// Does what is due for a greenlet that nothing refers to.
#[cold]
pub(crate) fn settle(core: NonNull<Core>) {
    // SAFETY: a block stays until it is freed, which is this function's to decide.
    let this = unsafe { core.as_ref() };
    match this.phase.get() {
        Phase::Dead => free(core),
        Phase::Unstarted => {
            end_unstarted(this);
            free(core);
        }
        Phase::Active if current() == core => this.thread().look_again(),
        Phase::Active if this.abandoned.get() => {}
        Phase::Active => {
            this.refs.set(1);
            unwind_or_abandon(core);
            this.refs.set(this.refs.get() - 1);
            if this.refs.get() == 0 && this.is_dead() {
                free(core);
            }
        }
    }
}

/// Unwinds a suspended greenlet. If it refuses, it stays as it is for good; what went wrong is
/// reported, because there is nobody to return it to.
fn unwind_or_abandon(core: NonNull<Core>) {
    let outcome = unwind(core);
    // SAFETY: the caller holds a count.
    let this = unsafe { core.as_ref() };
    match outcome {
        Ok(()) => {}
        Err(KillError::Panicked(raised)) => {
            Report::new(ReportKind::PanickedWhileDropped, &describe(this), &raised).send();
        }
        Err(_) if this.refs.get() > 1 && !this.thread().is_ending() => {
            // Somebody took a handle in the meantime: it lives on.
        }
        Err(error) => {
            this.abandoned.set(true);
            Report::new(ReportKind::Abandoned, &describe(this), &error).send();
        }
    }
}

/// Frees a dead greenlet's block, and those of dead ancestors that only it kept.
fn free(core: NonNull<Core>) {
    let mut next = Some(core);
    while let Some(core) = next {
        // SAFETY: dead and without a count, so nobody else looks at the block.
        let parent = unsafe {
            let block = core.as_ref();
            let parent = block.parent.take();
            block.clear();
            block.thread().free_core(core);
            parent
        };
        next = parent.filter(|parent| {
            // SAFETY: the link that was just given up kept the parent.
            let parent = unsafe { parent.as_ref() };
            parent.refs.set(parent.refs.get() - 1);
            parent.refs.get() == 0 && parent.is_dead()
        });
        if next.is_none()
            && let Some(parent) = parent
            // SAFETY: not freed: it is not dead, or its count is above zero.
            && unsafe { parent.as_ref() }.refs.get() == 0
        {
            settle(parent);
        }
    }
}

/// How a report names a greenlet.
pub(crate) fn describe(core: &Core) -> String {
    core.with_extras(|extras| match extras.and_then(|extras| extras.name.as_deref()) {
        Some(name) => format!("greenlet {} \"{name}\"", core.id.get()),
        None => format!("greenlet {}", core.id.get()),
    })
}
