//! Ending greenlets from outside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread::panicking;

use super::core::Core;
use super::counting::{keep, release, retain};
use super::error::KillError;
use super::life::{CAN_UNWIND, describe, report_dropped};
use super::parcel;
use super::raised::Raised;
use super::standing::Mark;
use super::switching::raise_in;
use super::tag::Tag;
use super::thread::current;
use super::words::{self, Hold};
use crate::report::{Report, ReportKind};

/// Raises [`GreenletExit`](super::GreenletExit) in a suspended greenlet and returns when control
/// comes back: when it is dead, because the caller continues in place of its parent then; or when
/// somebody switches here.
///
/// `Err` is what was raised in the caller meanwhile.
pub(crate) fn unwind(core: NonNull<Core>) -> Result<Result<(), KillError>, Raised> {
    if !CAN_UNWIND {
        return Ok(Err(KillError::CannotUnwind));
    }
    // SAFETY: the caller holds a count on the victim; what is current is alive.
    let (victim, me) = unsafe { (core.as_ref(), current().as_ref()) };
    if victim.unwinder().is_some() || victim.standing.has(Mark::Abandoned) {
        return Ok(Err(KillError::Refused));
    }
    // As any parent's, its place is counted: who unwinds somebody is not unwound for want of a handle.
    let kept = keep(NonNull::from(me));
    victim.set_unwinder(Some(NonNull::from(me)));
    me.waits_for.set(Tag::ANYTHING);
    // Whoever does not find in its own thread-local storage that there is a panic must be told.
    let held = panicking().then(|| words::hold(Hold::Destructors));
    // SAFETY: the victim is suspended.
    let landed = unsafe { raise_in(me, victim, Raised::exit()) };
    drop(held);
    victim.set_unwinder(None);
    drop(kept);
    // SAFETY: whoever switched here saw that anything is waited for.
    let brought = unsafe { parcel::open_unwanted(landed) };
    let ended = victim.is_dead();
    match brought {
        Ok(unwanted) => {
            drop(unwanted);
            Ok(if ended { Ok(()) } else { Err(KillError::Refused) })
        }
        Err(raised) if ended => Ok(Err(KillError::Panicked(raised))),
        Err(raised) => Err(raised),
    }
}

/// Unwinds a greenlet because its thread, or the hub of its thread, ends.
pub(crate) fn unwind_for_end(core: NonNull<Core>) {
    retain(core);
    unwind_or_abandon(core, true);
    release(core);
}

/// Unwinds a suspended greenlet. If it refuses, it stays as it is for good, unless somebody has
/// taken a handle and this is not the `last` time; what went wrong is reported, because there is
/// nobody to return it to.
pub(crate) fn unwind_or_abandon(core: NonNull<Core>, last: bool) {
    // A value that was sent here may panic when it is dropped.
    let outcome = catch_unwind(AssertUnwindSafe(|| unwind(core)));
    // SAFETY: the caller holds a count.
    let this = unsafe { core.as_ref() };
    let error = match outcome {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(KillError::Panicked(raised)))) => return report_dropped(this, raised.into_payload()),
        Ok(Ok(Err(error))) => error,
        Ok(Err(raised)) => {
            // Meant for the caller, which is in a destructor and cannot take it.
            // SAFETY: what is current is alive.
            let me = describe(unsafe { current().as_ref() });
            Report::new(ReportKind::Undelivered, &me, &raised).send();
            raised.discard();
            KillError::Refused
        }
        Err(payload) => {
            report_dropped(this, payload);
            KillError::Refused
        }
    };
    if !this.is_dead() && (last || this.refs.get() == 1) {
        // SAFETY: who is neither dead nor current is suspended.
        unsafe { abandon(this) };
        Report::new(ReportKind::Abandoned, &describe(this), &error).send();
    }
}

/// Leaves a greenlet as it is for good.
///
/// # Safety
///
/// It is suspended.
unsafe fn abandon(this: &Core) {
    this.abandon();
    // SAFETY: the caller's word.
    unsafe { this.continuation.leak() };
}

/// Abandons a suspended greenlet that somebody waits for already who cannot be unwound first: the caller, or one that
/// it waits for itself.
///
/// # Safety
///
/// It is suspended.
pub(crate) unsafe fn abandon_for_end(core: NonNull<Core>) {
    // SAFETY: what is suspended is alive.
    let this = unsafe { core.as_ref() };
    // SAFETY: the caller's word.
    unsafe { abandon(this) };
    Report::new(ReportKind::Abandoned, &describe(this), &KillError::Refused).send();
}
