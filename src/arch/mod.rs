//! Floor 0: the context switch.
//!
//! What is suspended is known by its [`Continuation`], and these are the ways from one to another:
//!
//! - [`switch`]: save where I am, continue the target; inlined into the caller.
//! - [`switch_out_of_line`]: the same as an ordinary function.
//! - [`switch_call`]: save where I am, call a function on the target's stack, continue the
//!   target with what it returns.
//! - [`resume`], [`resume_call`], [`give_way`]: continue the target and give this stack up.
//! - [`Continuation::lay_out`], [`Continuation::begin`]: prepare a stack so that the next switch to it calls an [`Entry`].
//! - [`Entered`]: a stack that is entered by a call and left by a return, for two that always answer each other.
//! - `switch_to_base`, `switch_call_to_base`, `resume_call_to_base`, `call_on_base`: between stacks whose thread-local
//!   variables are not in the same place, and a call in that other place; where that can be done.
//! - `thread_base`: where that place is now.
//! - `stack_pointer`: which stack this is.
//! - [`FloatControl`]: the floating-point control words, which a switch leaves as they are.
//!
//! One file per architecture has them behind the same private interface, and [`sanitizer`] has what
//! the compiler's sanitizers must be told of each.
//!
//! The instructions themselves are in `asm/`, one routine a file. This floor knows nothing
//! of greenlets but where backtraces find a parent, and it must never touch memory other than
//! the two stacks and the save slot.

use std::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod continuation;
mod entered;
mod sanitizer;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(test)]
mod tests;

#[cfg(target_arch = "aarch64")]
use aarch64 as imp;
#[cfg(target_arch = "x86_64")]
use x86_64 as imp;

pub(crate) use continuation::{
    Continuation, give_way, resume, resume_call, switch, switch_call, switch_out_of_line,
};
#[cfg(own_tls)]
pub(crate) use continuation::{resume_call_to_base, switch_call_to_base, switch_to_base};
pub(crate) use entered::{Caller, Entered, nowhere_to_enter};
#[cfg(own_tls)]
pub(crate) use imp::{call_on_base, thread_base};
pub(crate) use imp::{prefetch, stack_pointer, valgrind_request};

/// What the processor fetches at once, in bytes.
pub(crate) const CACHE_LINE: usize = 64;

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
    /// Below [`KINDS`].
    pub(crate) kind: usize,
}

/// A message that has landed where a stack was [entered](Entered) or left. There, kind 0 goes without saying.
pub(crate) struct Landed {
    word: MaybeUninit<usize>,
    /// If it is not plain.
    kind: usize,
    /// Whether it is of kind 0.
    is_plain: bool,
}

impl Landed {
    /// The word if it is plain, else the message.
    #[inline(always)]
    pub(crate) fn plain(self) -> Result<MaybeUninit<usize>, Message> {
        let Self { word, kind, is_plain } = self;
        if is_plain { Ok(word) } else { Err(Message { word, kind }) }
    }
}

/// How many kinds there may be: what a saved stack pointer is a multiple of.
pub(crate) const KINDS: usize = 8;

/// The kind of a message that comes back, because there is [nowhere to enter](nowhere_to_enter).
pub(crate) const NOT_ENTERED: usize = KINDS - 1;

/// The saved stack pointer of a suspended stack, a multiple of [`KINDS`].
pub(crate) type StackPointer = *mut u8;

/// A message for a suspended stack, and where that is suspended, in two registers.
#[repr(C)]
pub(crate) struct Farewell {
    word: MaybeUninit<usize>,
    /// The stack pointer, and the kind in those of its bits that are zero.
    place_and_kind: *mut u8,
}

impl Farewell {
    #[inline(always)]
    fn new(to: StackPointer, message: Message) -> Self {
        debug_assert!(to.addr().is_multiple_of(KINDS) && message.kind < KINDS);
        Self { word: message.word, place_and_kind: to.wrapping_add(message.kind) }
    }
}

/// A function that [`switch_call`] runs on the target's stack. It begins with
/// [`Continuation::landed`].
pub(crate) type OnTarget = unsafe extern "C" fn(MaybeUninit<usize>, usize) -> Message;

/// What the base frame of a stack calls, with the first message switched to it and the owner that it was
/// laid out for. It begins with [`Continuation::landed`], and returns when the owner has ended. See [`give_way`].
pub(crate) type Entry = unsafe extern "C" fn(MaybeUninit<usize>, usize, *const ()) -> Farewell;

/// As [`Entry`], for a stack that is [entered](Entered): the last argument is where it was entered from, and so where
/// the message is to go in the end.
pub(crate) type EntryOfEntered =
    unsafe extern "C" fn(MaybeUninit<usize>, usize, *const (), StackPointer) -> Farewell;

/// The place where a control block has the address of its parent's, which begins with a
/// [`Continuation`]. Backtraces follow it.
pub(crate) type ParentLink = *const *const Continuation;
