//! Leaving one greenlet for another.
//!
//! [`transfer`] is the hot path, inlined into the caller: two thread-local words, three
//! comparisons, two stores, the switch. Whatever is not plain (a target that is unstarted, dead,
//! the caller itself or waiting for another type; a caller without handles) goes to
//! [`deliver`].

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::thread::panicking;

use super::core::{Core, Phase};
use super::error::SwitchError;
use super::life::{self, CAN_UNWIND, end_unstarted};
use super::parcel::{self, Parcel};
use super::raised::Raised;
use super::tag::Tag;
use super::thread::{Thread, current, fast_current, set_fast_current};
use crate::arch::{self, Message};

/// How a try of the fast path ended.
pub(crate) enum Landing<T> {
    /// A switch away and back brought a value.
    Value(T),
    /// A switch away and back brought something else.
    Rare(Message),
    /// Nothing has moved: the case is for [`deliver`].
    NotPlain(T),
}

/// Sends a value to a greenlet and waits for the next message to the caller, if that takes no more
/// than a switch.
///
/// # Safety
///
/// The target belongs to this thread, and the caller holds a count on it.
#[inline(always)]
pub(crate) unsafe fn transfer<T: 'static>(target: NonNull<Core>, value: T) -> Landing<T> {
    let me = fast_current();
    // SAFETY: the caller holds a count on the target.
    let to = unsafe { target.as_ref() };
    let plain = !me.is_null() && to.waits_for.get().is(Tag::of::<T>()) && !ptr::eq(me, to) && !panicking();
    if !plain {
        return Landing::NotPlain(value);
    }
    // SAFETY: what is current is alive.
    let me = unsafe { &*me };
    me.waits_for.set(Tag::of::<T>());
    set_fast_current(to);
    let slot = MaybeUninit::new(value);
    let message = Message { word: parcel::pack(&slot), kind: parcel::VALUE };
    // SAFETY: what waits for a T and is not the caller is suspended. The message is for a T.
    // `me` stays where it is: who is suspended is kept by a count or unwound, never just freed.
    let landed = unsafe { arch::switch(me.stack_pointer.as_ptr(), to.stack_pointer.get(), message) };
    if landed.kind == parcel::VALUE {
        // SAFETY: whoever switched here saw that this greenlet waits for a T.
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

/// Finds out who receives a message for `target`, sends it, and waits for the next message to
/// the caller; or returns why nothing moved.
#[inline(never)]
pub(crate) fn deliver<T: 'static>(target: NonNull<Core>, content: Result<T, Raised>) -> Result<T, Raised> {
    // SAFETY: what is current is alive, and the caller holds a count on the target.
    let (me, mut receiver) = unsafe { (current().as_ref(), target.as_ref()) };
    let mut parcel = Parcel { content };
    if panicking() {
        return parcel.refused(SwitchError::Unwinding);
    }
    if me.thread().is_ending() {
        return parcel.refused(SwitchError::ThreadEnding);
    }
    if !CAN_UNWIND && parcel.content.is_err() {
        return parcel.refused(SwitchError::CannotUnwind);
    }
    loop {
        match receiver.phase.get() {
            Phase::Active if ptr::eq(receiver, me) => return parcel.content,
            Phase::Active if receiver.waits_for.get() == Tag::ANYTHING => {
                parcel.discard_value();
                break;
            }
            Phase::Active if parcel.suits(receiver.waits_for.get()) => break,
            Phase::Active => return parcel.refused(SwitchError::wrong_type::<T>()),
            Phase::Unstarted if parcel.content.is_err() => end_unstarted(receiver),
            Phase::Unstarted => match receiver.body() {
                None => return parcel.refused(SwitchError::NoBody),
                Some(body) if !parcel.suits(body.value) => {
                    return parcel.refused(SwitchError::wrong_type::<T>());
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
    me.waits_for.set(Tag::of::<T>());
    // SAFETY: the receiver is suspended or just prepared, and takes this message; the next one
    // to `me` is for a T.
    unsafe {
        if me.refs.get() == 0 {
            return parcel::open(leave(me, receiver, parcel.seal(None)));
        }
        let mut slot = MaybeUninit::uninit();
        let message = parcel.seal(Some(&mut slot));
        me.thread().make_current(NonNull::from(receiver));
        parcel::open(arch::switch(me.stack_pointer.as_ptr(), receiver.stack_pointer.get(), message))
    }
}

/// Suspends the current greenlet and continues `to`. If nothing refers to `me`, it is unwound
/// from the other side, before `to` sees the message, which is on nobody's stack.
///
/// # Safety
///
/// `me` is current, `to` is suspended or just prepared and takes the message, `me.waits_for`
/// is set.
#[cold]
pub(crate) unsafe fn leave(me: &Core, to: &Core, message: Message) -> Message {
    let thread = me.thread();
    thread.make_current(NonNull::from(to));
    let Message { word, kind } = message;
    let (save, target) = (me.stack_pointer.as_ptr(), to.stack_pointer.get());
    // SAFETY: the caller's word; `do_chore` does not unwind.
    unsafe {
        if me.refs.get() > 0 {
            return arch::switch_out_of_line(save, target, word, kind);
        }
        thread.chore.set(Some(NonNull::from(me)));
        arch::switch_call(save, target, word, kind, do_chore)
    }
}

/// Continues `to` from a greenlet that has ended. `to` settles the chore first.
///
/// # Safety
///
/// `to` is current already, suspended or just prepared, and takes the message.
#[inline]
pub(crate) unsafe fn leave_for_good(
    thread: &Thread,
    to: &Core,
    message: Message,
    chore: Option<NonNull<Core>>,
) -> ! {
    let target = to.stack_pointer.get();
    // SAFETY: the caller's word; `do_chore` does not unwind, and what is saved is not used.
    unsafe {
        if chore.is_some() {
            thread.chore.set(chore);
            let mut nowhere = ptr::null_mut();
            arch::switch_call(&mut nowhere, target, message.word, message.kind, do_chore);
        }
        arch::resume(target, message)
    }
}

/// Runs on the stack that is being continued, before it continues. The message is in nobody's
/// stack, so whatever runs here may switch.
unsafe extern "C" fn do_chore(word: MaybeUninit<usize>, kind: usize) -> Message {
    // SAFETY: what is current is alive.
    let thread = unsafe { current().as_ref() }.thread();
    if let Some(core) = thread.chore.take() {
        // SAFETY: the side that left kept the block for this.
        if unsafe { core.as_ref() }.refs.get() == 0 {
            life::settle(core);
        }
    }
    Message { word, kind }
}
