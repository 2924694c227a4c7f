//! Leaving one stack for another.
//!
//! A [`Continuation`] is where a switch leaves its mark: the stack pointer to come back to, and what a
//! [sanitizer](super::sanitizer) has to be told of the stack. What is here joins the two, so that
//! nobody above can switch and forget to say so. It must never add an instruction to a build without a
//! sanitizer.

use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::imp::{self, SUSPENDED_WORDS};
use super::sanitizer::Shadow;
#[cfg(feature = "hub")]
use super::{CACHE_LINE, prefetch};
use super::{Entry, Farewell, Message, OnTarget, ParentLink, StackPointer};

/// So many lines of a stack are worth being fetched before it is switched to: the frames of what waits.
#[cfg(feature = "hub")]
const FRAME_LINES: usize = 4;

/// Where what runs on one stack was left, and is to be continued.
#[repr(C)]
pub(crate) struct Continuation {
    /// Where it continues; [`nowhere`] unless it is suspended.
    stack_pointer: Cell<StackPointer>,
    shadow: Shadow,
}

// Backtraces read a stack pointer there.
const _: () = assert!(offset_of!(Continuation, stack_pointer) == 0);

impl Continuation {
    /// That of what is not suspended: it runs, or has no stack.
    pub(crate) fn new() -> Self {
        Self { stack_pointer: Cell::new(nowhere()), shadow: Shadow::new() }
    }

    /// Lays out a stack for what [begins](Self::begin) there, however often. What a scheduler runs may as well begin on
    /// one that was laid out for something else, and the other way round: it is a matter of speed.
    ///
    /// # Safety
    ///
    /// `top` is 16-byte aligned and the end of a stack that nobody uses, or that the owner's predecessor leaves as
    /// it ends.
    #[inline]
    pub(crate) unsafe fn lay_out(top: NonNull<u8>, owner: *const (), parent: ParentLink, is_scheduled: bool) {
        let base = if is_scheduled { imp::base_of_scheduled } else { imp::base_of_switched };
        // SAFETY: the caller's word.
        unsafe { imp::init_stack(top, owner, parent, base) };
    }

    /// Has the next switch here call `entry`.
    ///
    /// # Safety
    ///
    /// `low` and `top` are the ends of a stack, guard included, that was [laid out](Self::lay_out) and has not become
    /// another's since. Nobody stands on it, but one who ends and leaves it.
    #[inline]
    pub(crate) unsafe fn begin(&self, low: usize, top: NonNull<u8>, entry: Entry) {
        self.shadow.move_to(low, top);
        // SAFETY: the caller's word.
        self.stack_pointer.set(unsafe { imp::init_entry(top, entry as *const ()) });
    }

    /// Has the processor fetch what it needs first when it continues.
    #[cfg(feature = "hub")]
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let top = self.stack_pointer.get();
        (0..FRAME_LINES).for_each(|line| prefetch(top.wrapping_add(line * CACHE_LINE)));
    }

    /// Forgets where it was suspended: it is never continued again.
    #[inline]
    pub(crate) fn forget(&self) {
        self.stack_pointer.set(nowhere());
    }

    /// Says that it is not continued any more, and that what it holds is not lost by mistake.
    ///
    /// # Safety
    ///
    /// It is suspended.
    #[inline]
    pub(crate) unsafe fn leak(&self) {
        // SAFETY: the caller's word.
        unsafe { self.shadow.leak(self.stack_pointer.get()) };
    }

    /// To be called first by what a switch calls here: an [`Entry`] or an [`OnTarget`]. The switches
    /// that return do it themselves.
    #[inline(always)]
    pub(crate) fn landed(&self) {
        self.shadow.landed();
    }
}

/// Suspends `from`, which runs, and continues `to`. Inlined into the caller.
///
/// Returns the message of whoever switches back.
///
/// # Safety
///
/// `to` is suspended, on a stack of this thread, and nobody else continues it. `from` stays where it is
/// until it is continued.
#[inline(always)]
pub(crate) unsafe fn switch(from: &Continuation, to: &Continuation, message: Message) -> Message {
    from.shadow.leave(&to.shadow);
    // SAFETY: the caller's word.
    let landed = unsafe { imp::switch(from.stack_pointer.as_ptr(), to.stack_pointer.as_ptr(), message) };
    from.shadow.landed();
    landed
}

/// [`switch`] by a call of an ordinary function.
///
/// # Safety
///
/// As for [`switch`].
#[inline(always)]
pub(crate) unsafe fn switch_out_of_line(from: &Continuation, to: &Continuation, message: Message) -> Message {
    let Message { word, kind } = message;
    from.shadow.leave(&to.shadow);
    // SAFETY: the caller's word.
    let landed =
        unsafe { imp::switch_out_of_line(from.stack_pointer.as_ptr(), to.stack_pointer.get(), word, kind) };
    from.shadow.landed();
    landed
}

/// Suspends `from`, calls `on_target` on the stack of `to`, then continues `to` with the message
/// that the call returns.
///
/// # Safety
///
/// As for [`switch`]; `on_target` must not unwind.
#[inline(always)]
pub(crate) unsafe fn switch_call(
    from: &Continuation,
    to: &Continuation,
    message: Message,
    on_target: OnTarget,
) -> Message {
    let Message { word, kind } = message;
    from.shadow.leave(&to.shadow);
    // SAFETY: the caller's word.
    let landed = unsafe {
        imp::switch_call(from.stack_pointer.as_ptr(), to.stack_pointer.get(), word, kind, on_target)
    };
    from.shadow.landed();
    landed
}

/// As [`switch`], to a stack whose thread-local variables are in the block with its thread control block
/// at `base`.
///
/// # Safety
///
/// As for [`switch`]. The block is that of the frames of `to`, and the C library can use it. The
/// processor lets programs set their thread base.
#[cfg(own_tls)]
#[inline(always)]
pub(crate) unsafe fn switch_to_base(
    from: &Continuation,
    to: &Continuation,
    message: Message,
    base: *mut u8,
) -> Message {
    // No sanitizer goes with this.
    // SAFETY: the caller's word.
    unsafe { imp::switch_to_base(from.stack_pointer.as_ptr(), to.stack_pointer.as_ptr(), message, base) }
}

/// As [`switch_call`], to a stack whose thread-local variables are in the block with its thread control
/// block at `base`. `on_target` finds those.
///
/// # Safety
///
/// As for [`switch_call`]. The block is that of the frames of `to`, and the C library can use it. The
/// processor lets programs set their thread base.
#[cfg(own_tls)]
pub(crate) unsafe fn switch_call_to_base(
    from: &Continuation,
    to: &Continuation,
    message: Message,
    on_target: OnTarget,
    base: *mut u8,
) -> Message {
    let Message { word, kind } = message;
    // No sanitizer goes with this.
    // SAFETY: the caller's word.
    unsafe {
        let (save, to) = (from.stack_pointer.as_ptr(), to.stack_pointer.get());
        imp::switch_call_to_base(save, to, word, kind, on_target, base)
    }
}

/// As [`switch_call_to_base`], and gives this stack up.
///
/// # Safety
///
/// As for that and for [`resume`].
#[cfg(own_tls)]
pub(crate) unsafe fn resume_call_to_base(
    to: &Continuation,
    message: Message,
    on_target: OnTarget,
    base: *mut u8,
) -> ! {
    // SAFETY: the caller's word. What is saved of this context is not continued.
    unsafe {
        switch_call_to_base(&Continuation::new(), to, message, on_target, base);
        std::hint::unreachable_unchecked()
    }
}

/// Continues `to` and gives this stack up.
///
/// # Safety
///
/// As for [`switch`]; nothing on this stack is needed any more, but what the message points to
/// until the target has read it.
#[inline(always)]
pub(crate) unsafe fn resume(to: &Continuation, message: Message) -> ! {
    to.shadow.interrupt();
    // SAFETY: the caller's word.
    unsafe { imp::resume(to.stack_pointer.get(), message) }
}

/// What an [`Entry`] returns to have the base frame continue `to` with the message.
///
/// # Safety
///
/// As for [`resume`]; the entry does return it.
#[inline(always)]
pub(crate) unsafe fn give_way(to: &Continuation, message: Message) -> Farewell {
    to.shadow.succeed();
    Farewell::new(to.stack_pointer.get(), message)
}

/// Gives this stack up, calls `on_target` on the stack of `to`, then continues `to` with the message
/// that the call returns.
///
/// # Safety
///
/// As for [`resume`]; `on_target` must not unwind.
#[cold]
pub(crate) unsafe fn resume_call(to: &Continuation, message: Message, on_target: OnTarget) -> ! {
    let Message { word, kind } = message;
    let mut lost: StackPointer = ptr::null_mut();
    to.shadow.interrupt();
    // SAFETY: the caller's word. What is saved of this context is not continued.
    unsafe {
        imp::switch_call(&mut lost, to.stack_pointer.get(), word, kind, on_target);
        std::hint::unreachable_unchecked()
    }
}

/// The stack pointer of what is not suspended: a backtrace that arrives here finds return
/// address zero and ends. A debugger ends where it finds that twice: it looks beyond.
pub(super) const fn nowhere() -> StackPointer {
    static END: [usize; 2 * SUSPENDED_WORDS] = [0; 2 * SUSPENDED_WORDS];
    ptr::from_ref(&END).cast_mut().cast()
}
