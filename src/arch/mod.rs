//! Floor 0: the context switch.
//!
//! One file per architecture, all behind the same private interface:
//!
//! - [`switch`]: save where I am, continue the target; inlined into the caller.
//! - [`switch_out_of_line`]: the same as an ordinary function.
//! - [`resume`]: continue the target and give this stack up.
//! - [`switch_call`]: save where I am, call a function on the target's stack, continue the
//!   target with what it returns.
//! - [`init_stack`]: lay out a fresh stack so that the first switch to it enters
//!   [`Base::start`].
//!
//! The instructions themselves are in `asm/`, one routine a file. This floor knows nothing
//! of greenlets but what [`Base`] tells its base frame, and it must never touch memory other
//! than the two stacks and the save slot.

use std::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as imp;
#[cfg(target_arch = "x86_64")]
use x86_64 as imp;

pub(crate) use imp::{
    SUSPENDED_WORDS, init_stack, resume, set_owner, switch, switch_call, switch_out_of_line,
};

/// What travels in registers from the side that leaves to the side that lands.
///
/// The word may have uninitialised bytes: it carries any value that fits.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Message {
    pub(crate) word: MaybeUninit<usize>,
    pub(crate) kind: usize,
}

/// The saved stack pointer of a suspended stack.
pub(crate) type StackPointer = *mut u8;

/// A function that [`switch_call`] runs on the target's stack.
pub(crate) type OnTarget = unsafe extern "C" fn(MaybeUninit<usize>, usize) -> Message;

/// What the floor above supplies to the base frame of its stacks.
pub(crate) trait Base {
    /// Offset in a control block of the pointer to the parent's control block.
    const PARENT: usize;
    /// Offset in a control block of the saved stack pointer.
    const STACK_POINTER: usize;

    /// Runs on a fresh stack with the first message switched to it; never returns.
    ///
    /// # Safety
    ///
    /// Only the base frame calls it.
    unsafe extern "C" fn start(word: MaybeUninit<usize>, kind: usize) -> !;
}
