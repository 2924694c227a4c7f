//! Birth and death.
//!
//! The rules are those of Python's greenlet: a result or an error goes to the parent as it is
//! at death; dead ancestors are skipped, unstarted ones are started with a result and ended by
//! an error.

use std::any::{Any, TypeId};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use super::chore::{self, Chore};
use super::core::{BodyType, Core};
use super::counting::{Kept, free, keep};
use super::error::SwitchError;
use super::parcel::{self, Parcel};
use super::raised::Raised;
use super::stacks;
use super::standing::{Mark, Phase};
use super::storage::{OwnStorage, WhoIsNext, end_storage};
use super::tag::{Tag, Wake};
use super::thread::current;
use super::trace::EventKind;
use super::words::{self, fast_current, set_fast_current};
use crate::arch::{self, Continuation, Farewell, Message};
use crate::report::{Report, ReportKind};
use crate::stack::StackError;

/// Whether this build can raise anything in another greenlet.
pub(crate) const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// Gives an unstarted greenlet a stack that is ready to be switched to.
pub(crate) fn prepare(core: &Core) -> Result<(), StackError> {
    let body = core.body().expect("a greenlet without a body is not started");
    // If others ran, they might start it.
    words::without_waiting(|| {
        stacks::reserve(core)?;
        core.thread().storage.furnish(core);
        let begins = stacks::begin(core, body);
        debug_assert!(begins, "it is reserved");
        core.standing.set_phase(Phase::Active);
        Ok(())
    })
}

/// As [`prepare`] for a greenlet that takes a `T`, if there is nothing to it: it is unstarted, has
/// nothing that few have, and a stack is at hand. Says whether there was.
// Cold, though starts are not rare: so the way of those that have started is the straight one.
#[cold]
#[inline(never)]
pub(crate) fn prepare_plainly<T: 'static>(core: &Core) -> bool {
    let suits =
        |body: &&BodyType| body.value.is(Tag::of::<T>()) && core.standing.is_plainly(Phase::Unstarted);
    let Some(body) = core.body().filter(suits) else { return false };
    if !stacks::begin(core, body) {
        return prepare_on_used(core, body);
    }
    core.standing.set_plainly(Phase::Active);
    true
}

/// Ends [`prepare_plainly`], where it does not have a stack yet. A function of its own, and called last: what it saves
/// is not saved where it is not called.
#[inline(never)]
fn prepare_on_used(core: &Core, body: &BodyType) -> bool {
    let begins = stacks::reserve_used(core) && stacks::begin(core, body);
    if begins {
        core.standing.set_plainly(Phase::Active);
    }
    begins
}

/// Before an error ends an unstarted greenlet: where trace hooks are told of switches, it gets a stack
/// to receive the error and to pass it on, so that they see it. Says whether it is to.
pub(crate) fn prepare_to_be_seen(core: &Core) -> bool {
    CAN_UNWIND && core.thread().is_traced() && prepare(core).is_ok()
}

/// What the base frame of a greenlet with a body of type F calls: runs the body and ends the
/// greenlet with what it returns. See [`Entry`](arch::Entry).
///
/// # Safety
///
/// `core` is current, on its own stack, with a body of type F; the message is its first.
pub(crate) unsafe extern "C" fn run<T: 'static, F: FnOnce(T) -> T>(
    word: MaybeUninit<usize>,
    kind: usize,
    core: *const (),
) -> Farewell {
    // SAFETY: the caller's word; what is current is alive.
    let core: &Core = unsafe { &*core.cast() };
    // SAFETY: the caller's word.
    let content = unsafe { call_body::<T, T, F>(core, Message { word, kind }) };
    let departure = match content.map(|result| end_plainly(core, result)) {
        // Here and not below, so that it never leaves the registers.
        // SAFETY: the caller's word.
        Ok(Ok(departure)) => return unsafe { departure.begin() },
        Ok(Err(result)) => finish(core, Ok(result)),
        Err(raised) => finish::<T>(core, Err(raised)),
    };
    // SAFETY: the caller's word.
    unsafe { departure.begin() }
}

/// # Safety
///
/// As for [`run`].
#[inline(always)]
unsafe fn call_body<T: 'static, R, F: FnOnce(T) -> R>(core: &Core, first: Message) -> Result<R, Raised> {
    core.continuation.landed();
    // SAFETY: the caller's word.
    let (body, first) = unsafe { (core.take_body::<F>(), parcel::open::<T>(first)) };
    match first {
        Ok(value) => catch_unwind(AssertUnwindSafe(|| body(value))).map_err(Raised::from_payload),
        Err(raised) => match catch_unwind(AssertUnwindSafe(|| drop(body))) {
            Ok(()) => Err(raised),
            Err(payload) => {
                raised.discard();
                Err(Raised::from_payload(payload))
            }
        },
    }
}

/// How a greenlet leaves for good: by the way it came, so that every call is matched by its return
/// and the processor's return predictor stays in step for those who go on.
struct Departure {
    message: Message,
    /// Is suspended or just prepared, and takes the message.
    to: NonNull<Continuation>,
}

impl Departure {
    /// What the [`Entry`](arch::Entry) of the greenlet that ends is to return. To be called by the entry
    /// itself: sanitizers count on it that one function returns after this.
    ///
    /// # Safety
    ///
    /// It does return that.
    #[inline(always)]
    unsafe fn begin(self) -> Farewell {
        // SAFETY: the caller's word.
        unsafe { arch::give_way(self.to.as_ref(), self.message) }
    }
}

/// Ends the current greenlet if its parent, or its successor, waits for the result and nothing else is
/// to be done: nobody is told, no destructor runs. Otherwise returns the result.
#[inline(always)]
fn end_plainly<T: 'static>(core: &Core, result: T) -> Result<Departure, T> {
    // Successors are a scheduler's, which sends nothing else.
    let schedules = TypeId::of::<T>() == TypeId::of::<Wake>();
    let successor = if schedules { core.thread().successor.get() } else { None };
    let Some(next) = successor.or(core.parent.get()) else { return Err(result) };
    // SAFETY: a successor is ready, and a link is counted.
    let next = unsafe { next.as_ref() };
    // Who is current on the fast path has handles, unless it is a task that has just given up its last.
    let counted =
        !schedules || core.refs.get() > 0 || core.parent().is_some_and(|parent| parent.refs.get() > 1);
    let plain = ptr::eq(fast_current(), core)
        && counted
        && core.standing.is_plainly(Phase::Active)
        && (next.waits_for.get().is(Tag::of::<T>()) || successor.is_some() && prepare_plainly::<T>(next))
        && (successor.is_none() || next.refs.get() > 0);
    if !plain {
        return Err(result);
    }
    if schedules {
        core.thread().successor.set(None);
    }
    mark_dead(core);
    if schedules {
        stacks::give_back(core)
    } else {
        stacks::rest(core)
    }
    set_fast_current(next);
    let slot = MaybeUninit::new(result);
    let message = parcel::packed(&slot);
    if schedules && core.refs.get() == 0 {
        free(NonNull::from(core));
    }
    if !parcel::fits_in_word::<T>() {
        // SAFETY: whoever is next is suspended, waits for a T, and reads it before anybody can take
        // this stack.
        unsafe { arch::resume(&next.continuation, message) }
    }
    Ok(Departure { message, to: NonNull::from(&next.continuation) })
}

/// Ends the current greenlet and hands what it leaves to its parent: or to its successor, or to who
/// unwinds it.
#[inline(never)]
fn finish<T: 'static>(core: &Core, content: Result<T, Raised>) -> Departure {
    let mut parcel = Parcel { content };
    let successor = core.thread().successor.take();
    // Nobody may wait between the choice of a successor and its turn. What callbacks of the scheduler have
    // left here in local data goes with the block.
    if successor.is_none() {
        end_locals(core);
    }
    end_storage(core, if successor.is_none() { WhoIsNext::Open } else { WhoIsNext::Settled });
    let mut next = successor.or(core.parent.get());
    // This greenlet keeps its parent, and that its own, while nobody changes the links. Once
    // destructors have run, who is looked at has to be kept.
    let mut kept: Option<Kept> = None;
    loop {
        // Destructors that run here may begin to unwind this greenlet, or change the links.
        let receiver = core.unwinder().or(next).expect("a root lives as long as its thread's greenlets");
        // SAFETY: a successor is ready, an unwinder waits, and a link is counted.
        let receiver = unsafe { receiver.as_ref() };
        if kept.is_some() {
            kept = Some(keep(NonNull::from(receiver)));
        }
        match receiver.standing.phase() {
            Phase::Active if receiver.standing.has(Mark::Abandoned) => {}
            Phase::Active if parcel.cannot_be_for(receiver.waits_for.get()) => {
                drop(kept);
                return die_into_scheduler(core, parcel);
            }
            Phase::Active => return die_into(core, receiver, parcel, kept),
            // An error passes by a parent that has nothing to run, and leaves it as it is.
            Phase::Unstarted if parcel.content.is_err() && receiver.body().is_none() => {}
            Phase::Unstarted if parcel.content.is_err() => {
                if prepare_to_be_seen(receiver) {
                    return die_into(core, receiver, parcel, kept);
                }
                kept = Some(keep(NonNull::from(receiver)));
                end_unstarted(receiver);
            }
            Phase::Unstarted => match receiver.body() {
                None => parcel.refuse(SwitchError::NoBody),
                Some(body) if !parcel.suits(body.value) => parcel.refuse(SwitchError::wrong_type::<T>()),
                Some(body) if is_heir(core, receiver) => {
                    return pass_stack_on(core, receiver, body, parcel, kept);
                }
                Some(_) => match prepare(receiver) {
                    Ok(()) => return die_into(core, receiver, parcel, kept),
                    Err(error) => parcel.refuse(SwitchError::Stack(error)),
                },
            },
            Phase::Dead => {}
        }
        next = receiver.parent.get();
    }
}

/// Whether an unstarted greenlet can run on the stack of one that ends: it needs one like it, and finds the
/// same thread-local storage there.
fn is_heir(core: &Core, heir: &Core) -> bool {
    let shares = |core: &Core| core.storage() == OwnStorage::No;
    heir.class == core.class && heir.stack.get().is_none() && shares(core) && shares(heir)
}

/// The parent waits in the scheduler, for something else than what its child leaves. That is
/// reported, and whoever is next continues.
fn die_into_scheduler<T: 'static>(core: &Core, parcel: Parcel<T>) -> Departure {
    match parcel.content {
        Ok(value) => {
            quietly(core, || drop(value));
            let why = "its result found its parent waiting for something else";
            Report::new(ReportKind::Undelivered, &describe(core), &why).send();
        }
        Err(raised) => {
            Report::new(ReportKind::Undelivered, &describe(core), &raised).send();
            raised.discard();
        }
    }
    let thread = core.thread();
    // A destructor, or a callback of the scheduler, may have made somebody begin to unwind this greenlet, who waits
    // for just its end. And the scheduler may have ended meanwhile.
    let picked = match thread.scheduler.get().filter(|_| core.unwinder().is_none()) {
        Some(scheduler) => (scheduler.pick)(),
        None => Err(Raised::exit()),
    };
    let (next, content) = match (core.unwinder(), picked) {
        (Some(unwinder), _) => (unwinder, Err(Raised::exit())),
        (None, Ok(next)) => (next, Ok(Wake)),
        (None, Err(raised)) => (thread.root(), Err(raised)),
    };
    // SAFETY: an unwinder waits; the scheduler picks what is suspended or just prepared; the root lives as long as
    // its thread.
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
    end(core);
    // SAFETY: its body and all destructors have returned, and this leaves.
    unsafe { thread.storage.give_back(core) };
    kept.into_iter().for_each(Kept::give_up);
    let base = thread.make_current(NonNull::from(receiver));
    if chore.is_none() && core.refs.get() == 0 {
        free(NonNull::from(core));
    }
    // SAFETY: the receiver is suspended or just prepared, and now current.
    unsafe {
        if chore.is_some() || base.is_some() {
            chore::resume(chore, receiver, message, base);
        }
        if !parcel::fits_in_word::<T>() {
            arch::resume(&receiver.continuation, message);
        }
    }
    Departure { message, to: NonNull::from(&receiver.continuation) }
}

/// What the receiver has to do when `core` ends, because this stack is being left: tell the trace
/// hooks; or free the block, where that runs destructors or lets go of a suspended parent.
fn chore_of_death<T: 'static>(core: &Core, receiver: &Core, parcel: &Parcel<T>) -> Option<Chore> {
    let runs_code_when_freed = || {
        // Who is about to be current needs no count, but looks suspended until its storage is in force.
        let runs = |parent| ptr::eq(parent, receiver) && receiver.storage() == core.storage();
        let keeps = |parent: &Core| parent.refs.get() == 1 && !runs(parent);
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
fn pass_stack_on<T: 'static>(
    core: &Core,
    heir: &Core,
    body: &BodyType,
    parcel: Parcel<T>,
    kept: Option<Kept>,
) -> Departure {
    let chore = Chore::of(core, event_of_death(&parcel), parcel::discard::<T>);
    let mut message = parcel.seal(None);
    stacks::pass_on(core, heir);
    let begins = stacks::begin(heir, body);
    debug_assert!(begins, "it was just passed on");
    heir.standing.set_phase(Phase::Active);
    mark_dead(core);
    kept.into_iter().for_each(Kept::give_up);
    let elsewhere = core.thread().make_current(NonNull::from(heir));
    debug_assert!(elsewhere.is_none(), "an heir finds the same storage");
    if let Some(chore) = chore {
        message = chore.settle(message);
        // That ran as the heir, who may have been left and continued elsewhere meanwhile.
        stacks::begin(heir, body);
    }
    Departure { message, to: NonNull::from(&heir.continuation) }
}

/// Marks a greenlet as dead and lets its stack rest. It may be the stack that runs: from here on that is only left.
#[inline(always)]
fn end(core: &Core) {
    mark_dead(core);
    stacks::rest(core);
}

#[inline]
fn mark_dead(core: &Core) {
    core.standing.set_phase(Phase::Dead);
    core.continuation.forget();
    core.waits_for.set(Tag::NOTHING);
}

/// Ends a greenlet that never ran: its body is dropped, unrun.
pub(crate) fn end_unstarted(core: &Core) {
    if core.stack.get().is_some() {
        end(core)
    } else {
        mark_dead(core)
    }
    quietly(core, || core.drop_body());
}

/// Names the greenlet that continues when the current one ends, in place of its parent. It takes a
/// value of the type that the current body returns.
///
/// # Safety
///
/// The successor is suspended, or unstarted with a [reserved](stacks::reserve) stack or one of the
/// same class, and stays so: nothing runs before the body returns.
pub(crate) unsafe fn succeed_current(successor: NonNull<Core>) {
    // SAFETY: what is current is alive.
    unsafe { current().as_ref() }.thread().successor.set(Some(successor));
}

/// Runs a destructor that has no caller to tell of its panic: that is reported.
pub(crate) fn quietly(core: &Core, destructor: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(destructor)) {
        report_dropped(core, payload);
    }
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
