//! Stacks that are entered by a call, and left by a return.
//!
//! This is for two that always answer each other: neither has to be found by anybody else, so neither saves
//! its stack pointer. Each gets that of the other with the message.

use std::cell::Cell;
use std::mem::{MaybeUninit, offset_of};
use std::ptr::{self, NonNull};

use super::continuation::nowhere;
use super::imp;
use super::sanitizer::Shadow;
use super::{EntryOfEntered, Farewell, Landed, Message, NOT_ENTERED, StackPointer};

/// What such a stack needs besides its stack pointer, which is with whoever may enter it.
pub(crate) struct Entered {
    /// The place of its caller, where backtraces go on.
    caller: Cell<*const Caller>,
    inside: Shadow,
    outside: Shadow,
}

/// From where a stack was entered, while it is; null while it is suspended. It is part of the entry's own frame, which
/// is written to anyway.
#[repr(C)]
pub(crate) struct Caller {
    stack_pointer: Cell<StackPointer>,
}

// Backtraces read a stack pointer there.
const _: () = assert!(offset_of!(Caller, stack_pointer) == 0);

/// What is there where there is no [`Caller`], with the word after it that a walk by frame pointers reads.
#[repr(C)]
struct Nobody(StackPointer, usize);

// SAFETY: it is never written to.
unsafe impl Sync for Nobody {}

static NOBODY: Nobody = Nobody(nowhere(), 0);

impl Caller {
    /// To be made by the entry, of its last argument.
    pub(crate) fn new(stack_pointer: StackPointer) -> Self {
        Self { stack_pointer: Cell::new(stack_pointer) }
    }
}

impl Entered {
    pub(crate) fn new() -> Self {
        Self { caller: Cell::new(nobody()), inside: Shadow::new(), outside: Shadow::new() }
    }

    /// Lays out a stack so that it calls `entry` when it is entered first. Returns its stack pointer.
    ///
    /// # Safety
    ///
    /// `low` and `top` are the ends of a stack, guard included, that nobody uses. `top` is 16-byte aligned.
    pub(crate) unsafe fn lay_out(
        &self,
        low: usize,
        top: NonNull<u8>,
        owner: *const (),
        entry: EntryOfEntered,
    ) -> StackPointer {
        self.inside.move_to(low, top);
        let link = self.caller.as_ptr().cast_const().cast();
        // SAFETY: the caller's word.
        unsafe {
            imp::init_stack(top, owner, link, imp::base_of_entered);
            imp::init_entry(top, entry as *const ())
        }
    }

    /// Enters the stack, which is suspended at `to`, with the word of a message of kind 0. Inlined into the caller.
    ///
    /// Returns its answer, and where it is suspended then: null if it has ended, with a message of another kind.
    ///
    /// # Safety
    ///
    /// `to` is what this, [`enter_out_of_line`](Self::enter_out_of_line) or [`lay_out`](Self::lay_out) has returned
    /// last, and nobody else enters there; or it is [`nowhere_to_enter`].
    #[inline(always)]
    pub(crate) unsafe fn enter(&self, to: StackPointer, word: MaybeUninit<usize>) -> (Landed, StackPointer) {
        if cfg!(greenlet_sanitizer) && to == nowhere_to_enter() {
            return (Landed { word, kind: NOT_ENTERED, is_plain: false }, ptr::null_mut());
        }
        self.outside.leave(&self.inside);
        // SAFETY: the caller's word.
        let landed = unsafe { imp::enter(to, word) };
        self.outside.landed();
        landed
    }

    /// As [`enter`](Self::enter), with a message of any other kind.
    ///
    /// # Safety
    ///
    /// As there; but the stack was left.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn enter_out_of_line(
        &self,
        to: StackPointer,
        message: Message,
    ) -> (Landed, StackPointer) {
        self.outside.leave(&self.inside);
        // SAFETY: the caller's word.
        let landed = unsafe { imp::enter_out_of_line(to, message) };
        self.outside.landed();
        landed
    }

    /// Whether somebody has entered the stack and it was not left since.
    ///
    /// # Safety
    ///
    /// It was entered before, and has not ended.
    pub(crate) unsafe fn is_in_use(&self) -> bool {
        // SAFETY: the entry's frame stands.
        !unsafe { &*self.caller.get() }.stack_pointer.get().is_null()
    }

    /// To be called first by the entry, with what it has made of its last argument.
    #[inline(always)]
    pub(crate) fn entered(&self, caller: &Caller) {
        self.inside.landed();
        self.caller.set(caller);
    }

    /// Leaves the stack for who has entered it. Inlined into the caller.
    ///
    /// Returns the message of who enters it next.
    ///
    /// # Safety
    ///
    /// The caller runs on this stack, which was entered from `caller`.
    #[inline(always)]
    pub(crate) unsafe fn leave(&self, caller: &Caller, word: MaybeUninit<usize>) -> Landed {
        self.inside.leave(&self.outside);
        let to = caller.stack_pointer.replace(ptr::null_mut());
        // SAFETY: the caller's word.
        let (landed, from) = unsafe { imp::leave(to, word) };
        caller.stack_pointer.set(from);
        self.inside.landed();
        landed
    }

    /// What the entry returns to have the base frame return to the caller with the message.
    ///
    /// # Safety
    ///
    /// The entry does return it. Nothing on the stack is needed any more, but what the message points to until the
    /// caller has read it.
    #[inline(always)]
    pub(crate) unsafe fn give_way(&self, caller: &Caller, message: Message) -> Farewell {
        self.caller.set(nobody());
        self.outside.succeed();
        Farewell::new(caller.stack_pointer.get(), message)
    }

    /// Says that it is not entered any more, and that what it holds is not lost by mistake.
    ///
    /// # Safety
    ///
    /// It is suspended at `stack_pointer`.
    pub(crate) unsafe fn leak(&self, stack_pointer: StackPointer) {
        // SAFETY: the caller's word.
        unsafe { self.inside.leak(stack_pointer) };
    }
}

fn nobody() -> *const Caller {
    ptr::from_ref(&NOBODY).cast()
}

/// What can be entered instead of a stack, any time: it hands the word back, in a message of kind [`NOT_ENTERED`].
#[inline]
pub(crate) fn nowhere_to_enter() -> StackPointer {
    /// As much of a suspended stack as is read of one that is entered: its frame pointer and where it lands.
    #[repr(C, align(8))]
    struct Suspended(usize, imp::BaseFrame);

    static NOWHERE: Suspended = Suspended(0, imp::entered_nowhere);
    ptr::from_ref(&NOWHERE).cast_mut().cast()
}
