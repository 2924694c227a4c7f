//! Floor 0: the context switch.
//!
//! One file per architecture, all behind the same private interface:
//!
//! - [`switch`]: save where I am, continue the target; inlined into the caller.
//! - [`switch_out_of_line`]: the same as an ordinary function.
//! - [`resume`]: continue the target and give this stack up.
//! - [`switch_call`]: save where I am, call a function on the target's stack, continue the
//!   target with what it returns.
//! - [`init_stack`]: lay out a fresh stack so that the first switch to it calls an [`Entry`].
//! - [`FloatControl`]: the floating-point control words, which a switch leaves as they are.
//!
//! The instructions themselves are in `asm/`, one routine a file. This floor knows nothing
//! of greenlets but where backtraces find a parent, and it must never touch memory other than
//! the two stacks and the save slot.

use std::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(test)]
mod tests;

#[cfg(target_arch = "aarch64")]
use aarch64 as imp;
#[cfg(target_arch = "x86_64")]
use x86_64 as imp;

pub(crate) use imp::{SUSPENDED_WORDS, init_stack, resume, switch, switch_call, switch_out_of_line};

/// How a thread computes with floating point, as the routines in `asm/` save it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(8))]
pub(crate) struct FloatControl([u8; 8]);

impl FloatControl {
    /// What is in force.
    pub(crate) fn save() -> Self {
        let mut words = Self::default();
        imp::save_float_control(&mut words);
        words
    }

    /// Puts it in force.
    pub(crate) fn load(&self) {
        imp::load_float_control(self);
    }
}

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

/// What the base frame of a stack calls, with the owner that the stack was laid out for and the
/// first message switched to it. It returns when the owner has ended: with a message for a
/// suspended stack, whose stack pointer it has written to the last argument.
pub(crate) type Entry =
    unsafe extern "C" fn(*const (), MaybeUninit<usize>, usize, &mut StackPointer) -> Message;

/// The place where a control block has the address of its parent's, which begins with a saved stack
/// pointer. Backtraces follow it.
pub(crate) type ParentLink = *const *const StackPointer;
