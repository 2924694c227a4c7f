//! Counts of control blocks, and what happens at zero.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::core::Core;
use super::extras::Extras;
use super::life::{end_unstarted, quietly};
use super::standing::{Mark, Phase};
use super::thread::current;
use super::unwind::unwind_or_abandon;

/// One more count.
#[inline]
pub(crate) fn retain(core: NonNull<Core>) {
    // SAFETY: whoever has the pointer keeps the block alive.
    let refs = unsafe { &core.as_ref().refs };
    // Looked at afterwards, so that it is one instruction.
    refs.set(refs.get().wrapping_add(1));
    if refs.get() == 0 {
        refuse_more(refs);
    }
}

#[cold]
fn refuse_more(refs: &Cell<u32>) -> ! {
    refs.set(u32::MAX);
    panic!("more than 2^32 handles of one greenlet")
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

impl Kept {
    #[cfg(all(feature = "hub", target_os = "linux"))]
    pub(crate) fn core(&self) -> NonNull<Core> {
        self.0
    }

    /// Gives the count up, of a greenlet that is about to be current. What runs needs none; but who runs shows
    /// only when its storage is in force, and until then it looks suspended.
    #[inline]
    pub(crate) fn give_up(self) {
        lower(self.0);
        std::mem::forget(self);
    }
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
#[inline(never)]
pub(crate) fn settle(core: NonNull<Core>) {
    // SAFETY: a block stays until it is freed, which is decided here.
    if unsafe { core.as_ref() }.standing.is_plainly(Phase::Dead) {
        free(core);
    } else {
        settle_rare(core);
    }
}

/// As [`settle`], for what is not plainly dead.
// A call that comes last, so that the usual one saves nothing.
#[inline(never)]
fn settle_rare(core: NonNull<Core>) {
    // SAFETY: as in `settle`.
    let ended = match unsafe { core.as_ref() }.standing.phase() {
        Phase::Unstarted => {
            end_before_start(core);
            true
        }
        Phase::Active => end_active(core),
        Phase::Dead => true,
    };
    if ended {
        free(core);
    }
}

/// Unwinds a greenlet that nothing refers to, unless it is the current one, which notices when it is left. Says
/// whether it has ended and there is still nothing that does.
#[cold]
fn end_active(core: NonNull<Core>) -> bool {
    // SAFETY: a block stays until it is freed, which the caller decides.
    let this = unsafe { core.as_ref() };
    if current() == core {
        this.thread().look_again();
        return false;
    }
    if this.standing.has(Mark::Abandoned) {
        return false;
    }
    this.standing.set(Mark::Forgotten, true);
    retain(core);
    unwind_or_abandon(core, false);
    // It may have taken a handle to itself, and live on.
    let left = lower(core);
    let ended = left == 0 && this.is_dead();
    this.standing.set(Mark::Forgotten, left == 0 && !ended);
    ended
}

/// Frees the block of a dead greenlet, and those of ancestors that only it kept.
#[inline]
pub(crate) fn free(core: NonNull<Core>) {
    // SAFETY: without a count, so nobody else looks at the block.
    let block = unsafe { core.as_ref() };
    let thread = block.thread();
    if !block.standing.is_plainly(Phase::Dead) {
        return free_ancestors(core);
    }
    if let Some(parent) = block.parent.get()
        && lower(parent) == 0
    {
        return recycle_before(core, parent);
    }
    // SAFETY: dead, and nobody uses it any more.
    unsafe { thread.recycle_core(core) };
}

/// Ends [`free`], where ancestors are to be freed as well.
#[cold]
#[inline(never)]
fn recycle_before(core: NonNull<Core>, parent: NonNull<Core>) {
    // SAFETY: dead, and nobody uses it any more.
    unsafe { core.as_ref().thread().recycle_core(core) };
    free_ancestors(parent);
}

/// Ends a greenlet that never started and that nothing refers to. Its destructors do not find it any more: it is not
/// current, and weak handles do not lead to it.
fn end_before_start(core: NonNull<Core>) {
    // SAFETY: a block stays until it is freed, which the caller does.
    let this = unsafe { core.as_ref() };
    end_unstarted(this);
    debug_assert_eq!(this.refs.get(), 0, "nobody can have made a handle");
}

/// Does what is due for a greenlet without counts, and then for its ancestors: a chain of them may be longer
/// than a stack is deep.
#[cold]
#[inline(never)]
fn free_ancestors(core: NonNull<Core>) {
    let mut next = Some(core);
    while let Some(core) = next {
        // SAFETY: not freed yet.
        match unsafe { core.as_ref() }.standing.phase() {
            Phase::Active if !end_active(core) => return,
            Phase::Unstarted => end_before_start(core),
            Phase::Active | Phase::Dead => {}
        }
        next = free_block(core).filter(|parent| lower(*parent) == 0);
    }
}

/// Frees the block of a dead greenlet, and returns its parent, of which the caller takes over the
/// count.
fn free_block(core: NonNull<Core>) -> Option<NonNull<Core>> {
    // SAFETY: without a count, so nobody else looks at the block.
    let block = unsafe { core.as_ref() };
    let parent = block.parent.take();
    // That of a guest, which is part of its extras.
    block.record.set(ptr::null_mut());
    // SAFETY: without a count, so nobody has a reference into the block.
    if let Some(extras) = unsafe { block.take_extras() } {
        drop_extras(block, extras);
    }
    // SAFETY: dead, and nobody uses it any more.
    unsafe { block.thread().free_core(core) };
    parent
}

#[cold]
fn drop_extras(core: &Core, extras: Box<Extras>) {
    quietly(core, || drop(extras));
}
