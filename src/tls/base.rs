//! The thread base: where the processor finds the storage in force.

use std::mem::ManuallyDrop;

use crate::arch::{self, Continuation, Message, OnTarget};

/// The place by which all of a thread's storage is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base(*mut u8);

impl Base {
    pub(super) fn of(block: *mut u8) -> Self {
        Self(block)
    }

    /// That of the storage in force.
    pub(crate) fn in_force() -> Self {
        Self(arch::thread_base())
    }

    pub(super) fn address(self) -> *mut u8 {
        self.0
    }
}

/// Calls a function with a block's storage in force, and returns with the caller's.
///
/// # Safety
///
/// The base is that of a block of this process that nobody else uses. The function neither unwinds nor
/// switches, and asks for nothing that its caller's storage holds.
pub(crate) unsafe fn on_base<F: FnOnce() -> R, R>(base: Base, call: F) -> R {
    struct Call<F, R> {
        call: ManuallyDrop<F>,
        result: Option<R>,
    }
    /// Never part of its caller, whose frame has thread-locals in other places.
    unsafe extern "C" fn run<F: FnOnce() -> R, R>(this: *mut ()) {
        // SAFETY: called once, with the caller's variable.
        unsafe {
            let this = &mut *this.cast::<Call<F, R>>();
            this.result = Some(ManuallyDrop::take(&mut this.call)());
        }
    }
    let mut call = Call { call: ManuallyDrop::new(call), result: None };
    // SAFETY: the caller's word; a probe has found that the base may be set.
    unsafe { arch::call_on_base(run::<F, R>, (&raw mut call).cast(), base.0) };
    call.result.expect("it has been called")
}

/// As [`arch::switch`], to a stack whose frames have other storage.
///
/// # Safety
///
/// As for that. The base is that of the frames on the target's stack.
#[inline(always)]
pub(crate) unsafe fn switch(from: &Continuation, to: &Continuation, message: Message, base: Base) -> Message {
    // SAFETY: the caller's word; a probe has found that the base may be set.
    unsafe { arch::switch_to_base(from, to, message, base.0) }
}

/// As [`arch::switch_call`], to a stack whose frames have other storage.
///
/// # Safety
///
/// As for that. The base is that of the frames on the target's stack.
pub(crate) unsafe fn switch_call(
    from: &Continuation,
    to: &Continuation,
    message: Message,
    on_target: OnTarget,
    base: Base,
) -> Message {
    // SAFETY: the caller's word; a probe has found that the base may be set.
    unsafe { arch::switch_call_to_base(from, to, message, on_target, base.0) }
}

/// As [`arch::resume_call`], to a stack whose frames have other storage.
///
/// # Safety
///
/// As for [`switch_call`].
pub(crate) unsafe fn resume_call(to: &Continuation, message: Message, on_target: OnTarget, base: Base) -> ! {
    // SAFETY: as in `switch_call`.
    unsafe { arch::resume_call_to_base(to, message, on_target, base.0) }
}
