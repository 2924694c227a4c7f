//! Counts of control blocks, and what happens at zero.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::core::{Core, Phase};
use super::life::{end_unstarted, report_dropped};
use super::thread::current;
use super::unwind::unwind_or_abandon;

/// One more count.
#[inline]
pub(crate) fn retain(core: NonNull<Core>) {
    // SAFETY: whoever has the pointer keeps the block alive.
    let refs = unsafe { &core.as_ref().refs };
    let count = refs.get().checked_add(1).expect("fewer than 2^32 handles of one greenlet");
    refs.set(count);
}

/// One count less. At zero a suspended greenlet is unwound here and now.
#[inline]
pub(crate) fn release(core: NonNull<Core>) {
    if lower(core) == 0 {
        settle(core);
    }
}

/// One count more until dropped.
pub(crate) struct Kept(NonNull<Core>);

/// Keeps a block, and what it is a block of, until the guard is dropped.
#[inline]
pub(crate) fn keep(core: NonNull<Core>) -> Kept {
    retain(core);
    Kept(core)
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        release(self.0);
    }
}

/// One count less for the current greenlet, which is about to end.
///
/// # Safety
///
/// The caller holds the count, and its body returns at once.
pub(crate) unsafe fn give_up(core: NonNull<Core>) {
    lower(core);
}

/// One count less; what is left.
#[inline]
fn lower(core: NonNull<Core>) -> u32 {
    // SAFETY: the count being given up kept the block alive.
    let refs = unsafe { &core.as_ref().refs };
    refs.set(refs.get() - 1);
    refs.get()
}

/// Does what is due for a greenlet that nothing refers to.
#[cold]
pub(crate) fn settle(core: NonNull<Core>) {
    // SAFETY: a block stays until it is freed, which is decided here.
    let this = unsafe { core.as_ref() };
    match this.phase.get() {
        Phase::Active if current() == core => this.thread().look_again(),
        Phase::Active if this.abandoned.get() => {}
        Phase::Active => {
            this.forgotten.set(true);
            retain(core);
            unwind_or_abandon(core, false);
            // It may have taken a handle to itself, and live on.
            let left = lower(core);
            this.forgotten.set(left == 0);
            if left == 0 && this.is_dead() {
                free(core);
            }
        }
        Phase::Unstarted | Phase::Dead => free(core),
    }
}

/// Frees the block of a greenlet that is dead or never started, and those of ancestors that only it
/// kept.
pub(crate) fn free(core: NonNull<Core>) {
    let mut next = Some(core);
    while let Some(core) = next {
        // SAFETY: without a count, so nobody else looks at the block.
        let block = unsafe { core.as_ref() };
        if block.phase.get() == Phase::Unstarted {
            // Its destructors may look at it, as somebody's parent.
            retain(core);
            end_unstarted(block);
            if lower(core) > 0 {
                return;
            }
        }
        let parent = block.parent.take();
        // SAFETY: without a count, so nobody has a reference into the block.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| unsafe { block.clear() })) {
            report_dropped(block, payload);
        }
        // SAFETY: dead, and nobody uses it any more.
        unsafe { block.thread().free_core(core) };
        let unused = parent.filter(|parent| lower(*parent) == 0);
        // SAFETY: not freed yet.
        next = unused.filter(|parent| unsafe { parent.as_ref() }.phase.get() != Phase::Active);
        if let Some(parent) = unused
            && next.is_none()
        {
            settle(parent);
        }
    }
}
