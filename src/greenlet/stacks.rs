//! How a greenlet comes by a stack, and what becomes of it.
//!
//! A stack is laid out for the control block that gets it. A greenlet that ends, other than a task, leaves its stack
//! with its block, which is the thread's *rested* one from then on: the next greenlet is likely to be made of the same
//! block, and finds all it needs but its entry. The block may be started again as the rested one, and end so. If it is
//! not active when another one comes to rest, or when somebody starts and none has come back to the thread's
//! [pool](crate::stack::Pool) since, its stack goes to the pool, or to that one.
//!
//! So of all the blocks that have a stack without being active, one may be the rested one, and the others have
//! [reserved](reserve) theirs. And the rested one always has a stack.

#[cfg(test)]
mod tests;

use std::ptr::{self, NonNull};

use super::core::{BodyType, Core};
use super::standing::Phase;
use super::thread::Thread;
use super::words;
use crate::arch::Continuation;
use crate::stack::{SizeClass, Stack, StackError};

/// Sees to it that an unstarted greenlet has a stack that nobody takes from it.
#[inline]
pub(crate) fn reserve(core: &Core) -> Result<(), StackError> {
    if !reserve_used(core) {
        lay_out(core, carve(core.thread(), core.class.get())?);
    }
    Ok(())
}

/// As [`reserve`], if that takes no new one. Says whether it did.
#[inline]
pub(crate) fn reserve_used(core: &Core) -> bool {
    if core.stack.get().is_some() {
        claim(core);
        return true;
    }
    let used = take_used(core.thread(), core.class.get());
    used.inspect(|&used| lay_out(core, used)).is_some()
}

/// Sees to it that nobody takes a block's stack for the rested one.
#[inline]
fn claim(core: &Core) {
    let rested = &core.thread().rested;
    if rested.get() == Some(NonNull::from(core)) {
        rested.set(None);
    }
}

/// A stack of the thread's, used or new.
#[inline]
pub(crate) fn take(thread: &Thread, class: SizeClass) -> Result<Stack, StackError> {
    match take_used(thread, class) {
        Some(used) => Ok(used),
        None => carve(thread, class),
    }
}

/// A stack of the thread's, if one waits that was used before.
#[inline]
fn take_used(thread: &Thread, class: SizeClass) -> Option<Stack> {
    let suits = |block: &Core| block.class.get() == class;
    let last = thread.stacks().take_last(class).or_else(|| take_rested(thread, suits));
    last.or_else(|| thread.stacks().take_earlier(class))
}

#[cold]
fn carve(thread: &Thread, class: SizeClass) -> Result<Stack, StackError> {
    words::without_waiting(|| thread.stacks().carve(class))
}

/// The rested stack, if its block suits and nobody runs on it again.
#[inline]
fn take_rested(thread: &Thread, suits: impl FnOnce(&Core) -> bool) -> Option<Stack> {
    // SAFETY: blocks stay as long as their thread's state.
    let block = unsafe { thread.rested.get()?.as_ref() };
    if block.standing.phase() == Phase::Active || !suits(block) {
        return None;
    }
    thread.rested.set(None);
    block.stack.take()
}

/// Makes a stack, which nobody uses any more, the greenlet's own.
#[inline]
fn lay_out(core: &Core, stack: Stack) {
    core.stack.set(Some(stack));
    let is_scheduled = !core.record.get().is_null();
    // SAFETY: it came from the pool; or its last user has ended, or ends and leaves it.
    unsafe {
        Continuation::lay_out(stack.top(), ptr::from_ref(core).cast(), core.parent_link(), is_scheduled)
    };
}

/// Has the next switch to a greenlet that becomes active call its body, if it has a stack. Says whether it has. If that
/// is the rested one, it stays so while the greenlet runs.
#[inline]
pub(crate) fn begin(core: &Core, body: &BodyType) -> bool {
    let Some(stack) = core.stack.get() else { return false };
    // SAFETY: it was laid out as the greenlet got it; and what ran there has ended, or ends and leaves it.
    unsafe { core.continuation.begin(stack.guard(), stack.top(), body.run) };
    true
}

/// Leaves the stack of a greenlet that is dead with its block. It may be the stack that runs: from here on that is
/// only left.
#[inline(always)]
pub(crate) fn rest(core: &Core) {
    if core.thread().rested.get() != Some(NonNull::from(core)) {
        rest_in_place_of_another(core);
    }
}

#[cold]
#[inline(never)]
fn rest_in_place_of_another(core: &Core) {
    let thread = core.thread();
    give_back_rested(thread);
    thread.rested.set(Some(NonNull::from(core)));
}

/// As [`rest`], to the pool: for one that ends while others wait for their turn to start, of whom each has a block
/// already.
#[inline(always)]
pub(crate) fn give_back(core: &Core) {
    claim(core);
    let stack = core.stack.take().expect("what has run has a stack");
    // SAFETY: whoever stands on it leaves it before anybody takes a stack.
    unsafe { core.thread().stacks().give_back(stack) };
}

/// Makes the stack of a greenlet that ends that of another, which has none.
pub(crate) fn pass_on(core: &Core, heir: &Core) {
    claim(core);
    lay_out(heir, core.stack.take().expect("what runs has a stack"));
}

/// Readies a vacant block for a greenlet that wants a stack of that class.
#[inline]
pub(crate) fn set_class(core: &Core, class: SizeClass) {
    if core.class.get() != class {
        change_class(core, class);
    }
}

#[cold]
#[inline(never)]
fn change_class(core: &Core, class: SizeClass) {
    core.class.set(class);
    if core.stack.get().is_some() {
        give_back(core);
    }
}

/// Gives the rested stack to the pool, unless somebody runs on it again.
pub(crate) fn give_back_rested(thread: &Thread) {
    if let Some(stack) = take_rested(thread, |_| true) {
        // SAFETY: nobody runs on it.
        unsafe { thread.stacks().give_back(stack) };
    }
}
