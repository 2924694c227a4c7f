//! Leaving one greenlet for another.
//!
//! [`transfer`] is the hot path, inlined into the caller: one thread-local word, four comparisons,
//! two stores, the switch. The first switch to a greenlet takes the same way, by a call that finds it a
//! stack. Whatever is not plain (a target that is dead, the caller itself or waiting for another type;
//! a caller without handles; a trace hook; a panic under way) goes to [`deliver`].

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::ptr::{self, NonNull};
use std::thread::panicking;

use super::chore::{self, Chore};
use super::core::Core;
use super::counting::{Kept, keep};
use super::error::SwitchError;
use super::life::{self, CAN_UNWIND, end_unstarted};
use super::parcel::{self, Parcel};
use super::raised::Raised;
use super::standing::{Mark, Phase};
use super::tag::Tag;
use super::thread::current;
use super::trace::{self, EventKind};
use super::words::{Hold, across_current, fast_current, held, set_fast_current};
use crate::arch::{self, Message};
use crate::tls::{self, Base};

/// How a try of the fast path ended, when it sent an S and waits for a W.
pub(crate) enum Landing<S, W> {
    /// A switch away and back brought a value.
    Value(W),
    /// A switch away and back brought something else.
    Rare(Message),
    /// Nothing has moved: the case is for [`deliver`].
    NotPlain(S),
}

/// Sends a value to a greenlet and waits for the next message to the caller, if that takes no more
/// than a switch.
///
/// # Safety
///
/// The target belongs to this thread, and the caller holds a count on it.
#[inline(always)]
pub(crate) unsafe fn transfer<S: 'static, W: 'static>(target: NonNull<Core>, value: S) -> Landing<S, W> {
    match NonNull::new(fast_current().cast_mut()) {
        // SAFETY: the caller's word.
        Some(me) if me != target => match unsafe { transfer_from(me, target, value) } {
            // SAFETY: the caller's word.
            Landing::NotPlain(value) => unsafe { transfer_across(target, value) },
            landing => landing,
        },
        // SAFETY: the caller's word.
        _ => unsafe { transfer_across(target, value) },
    }
}

/// As [`transfer`], if it takes no more than a switch to other thread-local storage.
///
/// # Safety
///
/// As for [`transfer`].
#[inline(always)]
unsafe fn transfer_across<S: 'static, W: 'static>(target: NonNull<Core>, value: S) -> Landing<S, W> {
    // SAFETY: the caller's word.
    let Some((me, base)) = (if cfg!(own_tls) { unsafe { prepare_across::<S, W>(target) } } else { None })
    else {
        return Landing::NotPlain(value);
    };
    let slot = MaybeUninit::new(value);
    let message = parcel::packed(&slot);
    // SAFETY: as in `transfer_from`; the base was told for this target.
    unsafe {
        let (me, to) = (me.as_ref(), target.as_ref());
        landing(tls::switch(&me.continuation, &to.continuation, message, base))
    }
}

/// Makes the target current if it waits for an S, in other thread-local storage, and nothing else is to be
/// done. Who was current, and waits for a W now, and the base of that storage.
///
/// # Safety
///
/// As for [`transfer`].
#[inline(never)]
unsafe fn prepare_across<S: 'static, W: 'static>(target: NonNull<Core>) -> Option<(NonNull<Core>, Base)> {
    let across = NonNull::new(across_current().cast_mut());
    let me = across.or(NonNull::new(fast_current().cast_mut())).filter(|me| *me != target)?;
    // SAFETY: what is current is alive, and the caller holds a count on the target.
    let (from, to) = unsafe { (me.as_ref(), target.as_ref()) };
    if to.standing.has(Mark::Abandoned) || panicking() || held() != Hold::Nothing {
        return None;
    }
    let (storage, tag) = (&from.thread().storage, to.waits_for.get());
    let crossed = if tag.is(Tag::apart::<S>()) {
        storage.cross_into(to)
    } else if across.is_some() && tag.is(Tag::of::<S>()) {
        storage.cross_back(to)
    } else {
        None
    };
    let place = crossed?;
    from.waits_for.set(if across.is_some() { Tag::apart::<W>() } else { Tag::of::<W>() });
    Some((me, place.base))
}

/// As [`transfer`], for a caller that knows who it is.
///
/// # Safety
///
/// As for [`transfer`]. `me` is the [`fast_current`] greenlet, and not the target.
#[inline(always)]
pub(crate) unsafe fn transfer_from<S: 'static, W: 'static>(
    me: NonNull<Core>,
    target: NonNull<Core>,
    value: S,
) -> Landing<S, W> {
    // SAFETY: what is current is alive, and the caller holds a count on the target.
    let (me, to) = unsafe { (me.as_ref(), target.as_ref()) };
    let plain = !panicking() && (to.waits_for.get().is(Tag::of::<S>()) || life::prepare_plainly::<S>(to));
    if !plain {
        return Landing::NotPlain(value);
    }
    // In this order: the switch begins with a store beside the second.
    set_fast_current(to);
    me.waits_for.set(Tag::of::<W>());
    let slot = MaybeUninit::new(value);
    let message = parcel::packed(&slot);
    // SAFETY: the target takes an S; it was just prepared, or is suspended as it is not the caller. `me` stays where it
    // is: who is suspended is kept by a count or unwound, never just freed.
    let landed = unsafe { arch::switch(&me.continuation, &to.continuation, message) };
    // SAFETY: it has just landed.
    unsafe { landing(landed) }
}

/// What the fast path makes of a message.
///
/// # Safety
///
/// The message has just landed where a W is waited for.
#[inline(always)]
pub(crate) unsafe fn landing<S, W>(landed: Message) -> Landing<S, W> {
    if landed.kind == parcel::VALUE {
        // SAFETY: whoever switched here saw that this greenlet waits for a W.
        Landing::Value(unsafe { parcel::unpack(landed.word) })
    } else {
        Landing::Rare(landed)
    }
}

/// Sends a value to a greenlet and waits for the next message to the caller.
///
/// # Safety
///
/// As for [`transfer`].
#[inline(always)]
pub(crate) unsafe fn transfer_or_deliver<T: 'static>(target: NonNull<Core>, value: T) -> Result<T, Raised> {
    // SAFETY: the caller's word.
    match unsafe { transfer(target, value) } {
        Landing::Value(value) => Ok(value),
        // SAFETY: it has just landed.
        Landing::Rare(message) => unsafe { open(message) },
        Landing::NotPlain(value) => deliver(target, Ok(value)),
    }
}

/// What a message of whatever kind brought.
///
/// # Safety
///
/// The message landed here, where a T was waited for, and is used once.
#[cold]
#[inline(never)]
pub(crate) unsafe fn open<T: 'static>(message: Message) -> Result<T, Raised> {
    // SAFETY: whoever switched here saw that this greenlet waits for a T.
    unsafe { parcel::open(message) }
}

/// As [`open`], but unwinds with what is raised. Each frame to be unwound takes a tenth of the time of a kill, so
/// this is none.
///
/// # Safety
///
/// As for [`open`].
#[inline(always)]
#[track_caller]
pub(crate) unsafe fn open_or_unwind<T: 'static>(message: Message) -> T {
    // SAFETY: the caller's word.
    match unsafe { open_to_unwind(message) } {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

/// As [`open`], with what to unwind with in place of what is raised.
///
/// # Safety
///
/// As for [`open`].
#[cold]
#[inline(never)]
#[track_caller]
unsafe fn open_to_unwind<T: 'static>(message: Message) -> Result<T, Box<dyn Any + Send>> {
    // SAFETY: the caller's word.
    unsafe { parcel::open(message) }.map_err(Raised::into_payload_to_unwind)
}

/// Why a greenlet cannot leave now, if so.
fn refusal(me: &Core) -> Option<SwitchError> {
    if panicking() || held() == Hold::Destructors {
        return Some(SwitchError::Unwinding);
    }
    me.thread().is_ending().then_some(SwitchError::ThreadEnding)
}

/// Finds out who receives a message for `target`, sends it, and waits for the next message to
/// the caller; or returns why nothing moved.
#[inline(never)]
pub(crate) fn deliver<S: 'static, W: 'static>(
    target: NonNull<Core>,
    content: Result<S, Raised>,
) -> Result<W, Raised> {
    // SAFETY: what is current is alive, and the caller holds a count on the target.
    let (me, mut receiver) = unsafe { (current().as_ref(), target.as_ref()) };
    let parcel = Parcel { content };
    me.thread().notice_hooks();
    if let Some(error) = refusal(me) {
        return parcel.refused(error);
    }
    if !CAN_UNWIND && parcel.content.is_err() {
        return parcel.refused(SwitchError::CannotUnwind);
    }
    let event = if parcel.content.is_err() { EventKind::Throw } else { EventKind::Switch };
    // The caller keeps the target, and that keeps its ancestors while nobody changes the links. Once
    // destructors have run, who is looked at has to be kept.
    let mut kept: Option<Kept> = None;
    loop {
        if kept.is_some() {
            kept = Some(keep(NonNull::from(receiver)));
        }
        match receiver.standing.phase() {
            Phase::Active if ptr::eq(receiver, me) => {
                if me.thread().is_traced() {
                    trace::tell(event, NonNull::from(me), NonNull::from(me))?;
                }
                return parcel.for_sender();
            }
            Phase::Active if receiver.standing.has(Mark::Abandoned) => {
                return parcel.refused(SwitchError::Abandoned);
            }
            Phase::Active if receiver.waits_for.get().is(Tag::ANYTHING) => break,
            Phase::Active if parcel.suits(receiver.waits_for.get()) => break,
            Phase::Active => return parcel.refused(SwitchError::wrong_type::<S>()),
            Phase::Unstarted if parcel.content.is_err() && receiver.body().is_some() => {
                if life::prepare_to_be_seen(receiver) {
                    break;
                }
                kept = Some(keep(NonNull::from(receiver)));
                end_unstarted(receiver);
                // Destructors may have switched away, and are back where somebody's panic unwinds this greenlet.
                if let Some(error) = refusal(me) {
                    return parcel.refused(error);
                }
            }
            Phase::Unstarted => match receiver.body() {
                None => return parcel.refused(SwitchError::NoBody),
                Some(body) if !parcel.suits(body.value) => {
                    return parcel.refused(SwitchError::wrong_type::<S>());
                }
                Some(_) => match life::prepare(receiver) {
                    Ok(()) => break,
                    Err(error) => return parcel.refused(SwitchError::Stack(error)),
                },
            },
            Phase::Dead => {}
        }
        match receiver.parent() {
            Some(parent) => receiver = parent,
            None => return parcel.refused(SwitchError::ThreadEnding),
        }
    }
    me.waits_for.set(me.tag::<W>());
    let unwanted = receiver.waits_for.get().is(Tag::ANYTHING);
    let discard = if unwanted { parcel::discard_unwanted } else { parcel::discard::<S> };
    let chore = Chore::of(me, event, discard);
    // It would keep the receiver while `me` waits.
    kept.into_iter().for_each(Kept::give_up);
    let base = me.thread().make_current(NonNull::from(receiver));
    // SAFETY: the receiver is suspended or just prepared, current now, and takes this message; the
    // next one to `me` is for a W.
    unsafe {
        let mut slot = MaybeUninit::uninit();
        let message = match &chore {
            _ if unwanted => parcel.seal_unwanted(),
            Some(_) => parcel.seal(None),
            None => parcel.seal(Some(&mut slot)),
        };
        parcel::open(match (chore, base) {
            (None, None) => arch::switch(&me.continuation, &receiver.continuation, message),
            (chore, base) => chore::switch(chore, me, receiver, message, base),
        })
    }
}

/// Raises something in a suspended greenlet, from one that takes whatever brings control back.
///
/// # Safety
///
/// `me` is current and marked as waiting for anything; `to` is suspended.
#[cold]
pub(crate) unsafe fn raise_in(me: &Core, to: &Core, raised: Raised) -> Message {
    let chore = Chore::of(me, EventKind::Throw, parcel::discard::<()>);
    let base = me.thread().make_current(NonNull::from(to));
    let message = parcel::raised(raised);
    // SAFETY: the caller's word; anybody can take what is raised.
    unsafe {
        match (chore, base) {
            (None, None) => arch::switch_out_of_line(&me.continuation, &to.continuation, message),
            (chore, base) => chore::switch(chore, me, to, message, base),
        }
    }
}
