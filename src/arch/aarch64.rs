//! AArch64, procedure call standard (AAPCS64): Linux, the BSDs and macOS.
//!
//! The same four operations as in `x86_64.rs`; comments here tell the differences.

use std::arch::{asm, naked_asm};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::{FloatControl, Landed, Message, NOT_ENTERED, OnTarget, ParentLink, StackPointer};

/// The words of the layout that a suspended stack ends in.
pub(crate) const SUSPENDED_WORDS: usize = 4;

/// Suspends this context and continues the one whose stack pointer is saved at `to`.
///
/// Returns the message of whoever switches back.
///
/// # Safety
///
/// At `to` is the saved stack pointer of a suspended stack of this thread that nobody else
/// continues; `save` is written before the switch and is what a later switch back takes.
#[inline(always)]
pub(crate) unsafe fn switch(save: *mut StackPointer, to: *const StackPointer, message: Message) -> Message {
    let Message { mut word, mut kind } = message;
    // SAFETY: the routine leaves this stack by saving x19 and x29, comes back with both
    // restored and sp as it was; all other callee-saved registers are declared clobbered
    // (d8 to d15 by the ABI's list). The caller vouches for `to` and `save`.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/switch.s"),
            inout("x0") word,
            inout("x1") kind,
            inout("x2") save => _,
            inout("x3") to => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    Message { word, kind }
}

/// As [`switch`], to a stack whose thread-local variables are in another block, that with this thread base.
///
/// # Safety
///
/// As for [`switch`]. The block is one that the C library can use, and that of the frames on the
/// target's stack.
#[cfg(own_tls)]
#[inline(always)]
pub(crate) unsafe fn switch_to_base(
    save: *mut StackPointer,
    to: *const StackPointer,
    message: Message,
    base: *mut u8,
) -> Message {
    let Message { mut word, mut kind } = message;
    // SAFETY: as in `switch`. Whoever comes back has loaded this side's base, so nothing has changed.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/load_thread_base.s"),
            include_str!("../../asm/aarch64/switch.s"),
            inout("x0") word,
            inout("x1") kind,
            inout("x2") save => _,
            inout("x3") to => _,
            inout("x5") base => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    Message { word, kind }
}

/// Enters the stack suspended at `to` with the word of a message of kind 0. Returns its answer, and where it is suspended
/// then: null if it has ended, with a message of another kind.
///
/// # Safety
///
/// `to` is the stack pointer of a stack that was laid out with [that base frame](base_of_entered), or was
/// [left](leave), and that nobody else enters; or it is [`nowhere_to_enter`](super::nowhere_to_enter).
#[inline(always)]
pub(crate) unsafe fn enter(to: StackPointer, word: MaybeUninit<usize>) -> (Landed, StackPointer) {
    // SAFETY: the caller's word.
    unsafe { enter_with(to, Message { word, kind: 0 }) }
}

/// As [`enter`], with a message of any kind.
///
/// # Safety
///
/// As for [`enter`].
#[inline(always)]
unsafe fn enter_with(to: StackPointer, message: Message) -> (Landed, StackPointer) {
    let Message { mut word, mut kind } = message;
    let left_at: StackPointer;
    // SAFETY: as in `switch`. The caller vouches for `to`.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/enter.s"),
            inout("x0") word,
            inout("x1") kind,
            inout("x2") to => left_at,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    (Landed { word, kind, is_plain: !left_at.is_null() }, left_at)
}

/// As [`enter`], with a message of another kind.
///
/// # Safety
///
/// The stack was [left](leave) at `to`, and nobody else enters it.
#[inline(always)]
pub(crate) unsafe fn enter_out_of_line(to: StackPointer, message: Message) -> (Landed, StackPointer) {
    // SAFETY: the caller's word.
    unsafe { enter_with(to, message) }
}

/// What is called by who enters [nowhere](super::nowhere_to_enter).
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn entered_nowhere() {
    naked_asm!(include_str!("../../asm/aarch64/nowhere_to_enter.s"), kind = const NOT_ENTERED)
}

/// Leaves this stack for who has entered it, suspended at `to`, with the word of a message of kind 0. Returns the message
/// of whoever enters it next, and where that one is suspended.
///
/// # Safety
///
/// `to` is where this stack was entered from last, which is to be told by this or by the first entry.
#[inline(always)]
pub(crate) unsafe fn leave(to: StackPointer, mut word: MaybeUninit<usize>) -> (Landed, StackPointer) {
    let kind: usize;
    let entered_from: StackPointer;
    // SAFETY: as in `switch`. The caller vouches for `to`.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/leave.s"),
            inout("x0") word,
            out("x1") kind,
            out("x2") _,
            inout("x3") to => entered_from,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    (Landed { word, kind, is_plain: kind == 0 }, entered_from)
}

/// Continues the context suspended at `to` and gives this one up.
///
/// # Safety
///
/// As for [`switch`]; nothing on this stack is needed any more, but what the message points to
/// until the target has read it.
#[inline(always)]
pub(crate) unsafe fn resume(to: StackPointer, message: Message) -> ! {
    // SAFETY: the caller's word.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/resume.s"),
            in("x0") message.word,
            in("x1") message.kind,
            in("x3") to,
            options(noreturn),
        )
    }
}

/// [`switch`] as an ordinary function.
///
/// # Safety
///
/// As for [`switch`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch_out_of_line(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
) -> Message {
    naked_asm!(
        include_str!("../../asm/aarch64/save_registers.s"),
        include_str!("../../asm/aarch64/switch_out_of_line.s"),
        include_str!("../../asm/aarch64/restore_registers.s"),
    )
}

/// Suspends this context, calls `on_target` on the stack suspended at `to`, then continues
/// that stack with the message that the call returns.
///
/// # Safety
///
/// As for [`switch`]; `on_target` must not unwind.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch_call(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
    on_target: OnTarget,
) -> Message {
    naked_asm!(
        include_str!("../../asm/aarch64/save_registers.s"),
        include_str!("../../asm/aarch64/switch_call.s"),
        include_str!("../../asm/aarch64/restore_registers.s"),
    )
}

/// As [`switch_call`], to a stack whose thread-local variables are in another block, that with this thread
/// base. The function finds those.
///
/// # Safety
///
/// As for [`switch_call`]. The block is one that the C library can use, and that of the frames on the
/// target's stack.
#[cfg(own_tls)]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn switch_call_to_base(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
    on_target: OnTarget,
    base: *mut u8,
) -> Message {
    naked_asm!(
        include_str!("../../asm/aarch64/save_registers.s"),
        include_str!("../../asm/aarch64/load_thread_base.s"),
        include_str!("../../asm/aarch64/switch_call.s"),
        include_str!("../../asm/aarch64/restore_registers.s"),
    )
}

/// Calls a function that finds the thread-local variables of another block.
///
/// # Safety
///
/// The function can be called with the argument, and neither unwinds nor switches. The block is one that
/// the C library can use.
#[cfg(own_tls)]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_on_base(
    function: unsafe extern "C" fn(*mut ()),
    argument: *mut (),
    base: *mut u8,
) {
    naked_asm!(include_str!("../../asm/aarch64/call_on_thread_base.s"))
}

/// Where thread-local variables are looked for.
#[cfg(own_tls)]
#[inline]
pub(crate) fn thread_base() -> *mut u8 {
    let base;
    // SAFETY: reads a register that every program may read.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/thread_base.s"),
            base = lateout(reg) base,
            options(nostack, nomem, preserves_flags),
        );
    }
    base
}

/// The length of the instruction that the base frame begins with, and that is not run.
const NOP: usize = 4;

/// Lays out a stack with a base frame, all but its entry. It stays so for whatever its owner runs on it.
///
/// # Safety
///
/// `top` is 16-byte aligned and the writable end of a stack that nobody uses, or that the owner's
/// predecessor leaves as it ends.
#[inline]
pub(crate) unsafe fn init_stack(top: NonNull<u8>, owner: *const (), parent: ParentLink, base: BaseFrame) {
    let base = base as *const () as usize + NOP;
    let words = top.cast::<usize>().as_ptr();
    // SAFETY: the caller vouches for the stack; eight words below its top are part of it.
    unsafe {
        let record = words.sub(2);
        record.write(parent.addr());
        record.add(1).write(base);
        words.sub(4).write(owner.addr());
        words.sub(7).write(base);
        words.sub(8).write(record.addr());
    }
}

/// Has a base frame be what is landed on next, and call the entry then. Returns its stack pointer.
///
/// # Safety
///
/// The stack was [laid out](init_stack) below that top, with a base frame for such an entry; nobody stands on it, but
/// one who ends and leaves it.
#[inline]
pub(crate) unsafe fn init_entry(top: NonNull<u8>, entry: *const ()) -> StackPointer {
    let words = top.cast::<usize>().as_ptr();
    // SAFETY: the caller's word.
    unsafe {
        words.sub(3).write(entry.expose_provenance());
        words.sub(8).cast()
    }
}

/// A base frame, see `asm/aarch64/base.s`.
pub(crate) type BaseFrame = unsafe extern "C" fn();

/// That of a stack that is switched to, and that calls an [`Entry`](super::Entry).
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn base_of_switched() {
    naked_asm!(
        include_str!("../../asm/aarch64/base.s"),
        include_str!("../../asm/aarch64/base_call.s"),
        include_str!("../../asm/aarch64/resume.s"),
        ".cfi_endproc",
    )
}

/// The same for a task. That its frames begin elsewhere was measured on x86_64 only.
pub(crate) use base_of_switched as base_of_scheduled;

/// That of a stack that is entered, and that calls an [`EntryOfEntered`](super::EntryOfEntered).
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn base_of_entered() {
    naked_asm!(
        include_str!("../../asm/aarch64/base.s"),
        include_str!("../../asm/aarch64/base_entered.s"),
        include_str!("../../asm/aarch64/base_call.s"),
        include_str!("../../asm/aarch64/base_return.s"),
        ".cfi_endproc",
    )
}

/// An address in the frame of the caller.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let place;
    // SAFETY: reads a register.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/stack_pointer.s"),
            place = out(reg) place,
            options(nostack, nomem, preserves_flags),
        );
    }
    place
}

pub(super) fn save_float_control(words: &mut FloatControl) {
    // SAFETY: writes the control words to where they fit.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/save_float_control.s"),
            in("x0") words,
            out("x1") _,
            options(nostack, preserves_flags),
        );
    }
}

pub(super) fn load_float_control(words: &FloatControl) {
    // SAFETY: the words were saved on this thread, so they are words that the processor takes.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/load_float_control.s"),
            in("x0") words,
            out("x1") _,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Asks Valgrind for something. The answer is 0 where it does not run this program.
pub(crate) fn valgrind_request(request: [usize; 6]) -> usize {
    let mut answer = 0;
    // SAFETY: the routine changes no register but that of the answer, and Valgrind reads the request.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/valgrind_request.s"),
            in("x4") &request,
            inout("x3") answer,
            options(nostack),
        );
    }
    answer
}

/// Has the processor fetch the cache line at an address, which may be any.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    // SAFETY: a hint, which changes nothing and does not fault.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/prefetch.s"),
            address = in(reg) address,
            options(nostack, readonly, preserves_flags),
        );
    }
}
