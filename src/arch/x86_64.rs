//! x86_64, System V calling convention: Linux, the BSDs and macOS.

use std::arch::{asm, naked_asm};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::{FloatControl, KINDS, Landed, Message, NOT_ENTERED, OnTarget, ParentLink, StackPointer};

/// The words of the layout that a suspended stack ends in.
pub(crate) const SUSPENDED_WORDS: usize = 3;

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
    // SAFETY: the routine leaves this stack by saving rbx and rbp, comes back with both
    // restored and rsp as it was; all other callee-saved registers are declared clobbered.
    // The caller vouches for `to` and `save`.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/switch.s"),
            save = in(reg) save,
            inout("rdi") word,
            inout("rsi") kind,
            inout("rcx") to => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Message { word, kind }
}

/// As [`switch`], to a stack whose thread-local variables are in another block: where its thread control
/// block is.
///
/// # Safety
///
/// As for [`switch`]. The block is one that the C library can use, and that of the frames on the
/// target's stack. The processor lets programs set their thread base.
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
            include_str!("../../asm/x86_64/load_thread_base.s"),
            include_str!("../../asm/x86_64/switch.s"),
            save = in(reg) save,
            inout("rdi") word,
            inout("rsi") kind,
            inout("rcx") to => _,
            inout("r9") base => _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
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
pub(crate) unsafe fn enter(to: StackPointer, mut word: MaybeUninit<usize>) -> (Landed, StackPointer) {
    let kind: usize;
    let left_at: StackPointer;
    // SAFETY: as in `switch`. The caller vouches for `to`.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/enter.s"),
            inout("rdi") word,
            out("rsi") kind,
            inout("rdx") to => left_at,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    (Landed { word, kind, is_plain: !left_at.is_null() }, left_at)
}

/// As [`enter`], with a message of another kind.
///
/// # Safety
///
/// The stack was [left](leave) at `to`, and nobody else enters it.
// Inlined, because a sanitizer counts calls and returns, and believes that it is on the other stack already.
#[inline(always)]
pub(crate) unsafe fn enter_out_of_line(to: StackPointer, message: Message) -> (Landed, StackPointer) {
    /// The word and, in the other register, where the stack was left or the kind with which it has ended.
    #[repr(C)]
    struct Answer(MaybeUninit<usize>, *mut u8);

    #[unsafe(naked)]
    unsafe extern "sysv64" fn enter(word: MaybeUninit<usize>, kind: usize, to: StackPointer) -> Answer {
        naked_asm!(
            include_str!("../../asm/x86_64/save_registers.s"),
            include_str!("../../asm/x86_64/enter_out_of_line.s"),
            include_str!("../../asm/x86_64/take_registers.s"),
            "ret",
            ".cfi_endproc",
        )
    }

    // SAFETY: the caller's word.
    let Answer(word, place_or_kind) = unsafe { enter(message.word, message.kind, to) };
    match place_or_kind.addr() {
        kind @ ..KINDS => (Landed { word, kind, is_plain: false }, ptr::null_mut()),
        _ => (Landed { word, kind: 0, is_plain: true }, place_or_kind),
    }
}

/// What is called by who enters [nowhere](super::nowhere_to_enter).
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn entered_nowhere() {
    naked_asm!(include_str!("../../asm/x86_64/nowhere_to_enter.s"), kind = const NOT_ENTERED)
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
            include_str!("../../asm/x86_64/leave.s"),
            inout("rdi") word,
            out("rsi") kind,
            inout("rcx") to => entered_from,
            out("rdx") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    (Landed { word, kind, is_plain: !entered_from.addr().is_multiple_of(16) }, entered_from)
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
            include_str!("../../asm/x86_64/resume.s"),
            in("rdi") message.word,
            in("rsi") message.kind,
            in("rcx") to,
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
pub(crate) unsafe extern "sysv64" fn switch_out_of_line(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
) -> Message {
    naked_asm!(
        include_str!("../../asm/x86_64/save_registers.s"),
        include_str!("../../asm/x86_64/suspend.s"),
        include_str!("../../asm/x86_64/switch_out_of_line.s"),
        include_str!("../../asm/x86_64/restore_registers.s"),
        include_str!("../../asm/x86_64/take_registers.s"),
        include_str!("../../asm/x86_64/return_by_jump.s"),
    )
}

/// Suspends this context, calls `on_target` on the stack suspended at `to`, then continues
/// that stack with the message that the call returns.
///
/// # Safety
///
/// As for [`switch`]; `on_target` must not unwind.
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn switch_call(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
    on_target: OnTarget,
) -> Message {
    naked_asm!(
        include_str!("../../asm/x86_64/save_registers.s"),
        include_str!("../../asm/x86_64/suspend.s"),
        include_str!("../../asm/x86_64/switch_call.s"),
        include_str!("../../asm/x86_64/restore_registers.s"),
        include_str!("../../asm/x86_64/take_registers.s"),
        include_str!("../../asm/x86_64/return_by_jump.s"),
    )
}

/// As [`switch_call`], to a stack whose thread-local variables are in another block: where its thread
/// control block is. The function finds those.
///
/// # Safety
///
/// As for [`switch_call`]. The block is one that the C library can use, and that of the frames on the
/// target's stack. The processor lets programs set their thread base.
#[cfg(own_tls)]
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn switch_call_to_base(
    save: *mut StackPointer,
    to: StackPointer,
    word: MaybeUninit<usize>,
    kind: usize,
    on_target: OnTarget,
    base: *mut u8,
) -> Message {
    naked_asm!(
        include_str!("../../asm/x86_64/save_registers.s"),
        include_str!("../../asm/x86_64/suspend.s"),
        include_str!("../../asm/x86_64/load_thread_base.s"),
        include_str!("../../asm/x86_64/switch_call.s"),
        include_str!("../../asm/x86_64/restore_registers.s"),
        include_str!("../../asm/x86_64/take_registers.s"),
        include_str!("../../asm/x86_64/return_by_jump.s"),
    )
}

/// Calls a function that finds the thread-local variables of another block.
///
/// # Safety
///
/// The function can be called with the argument, and neither unwinds nor switches. The block is one that
/// the C library can use. The processor lets programs set their thread base.
#[cfg(own_tls)]
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn call_on_base(
    function: unsafe extern "C" fn(*mut ()),
    argument: *mut (),
    base: *mut u8,
) {
    naked_asm!(include_str!("../../asm/x86_64/call_on_thread_base.s"))
}

/// Where thread-local variables are looked for.
#[cfg(own_tls)]
#[inline]
pub(crate) fn thread_base() -> *mut u8 {
    let base;
    // SAFETY: reads a word that every thread has there, by the ABI.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/thread_base.s"),
            base = lateout(reg) base,
            options(nostack, readonly, preserves_flags),
        );
    }
    base
}

/// The length of the instruction that the base frame begins with, and that is not run.
const NOP: usize = 1;

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
    // SAFETY: the caller vouches for the stack; seven words below its top are part of it.
    unsafe {
        let record = words.sub(2);
        record.write(parent.addr());
        record.add(1).write(base);
        words.sub(3).write(owner.addr());
        words.sub(6).write(base);
        words.sub(7).write(record.addr());
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
        words.sub(4).write(entry.expose_provenance());
        words.sub(7).cast()
    }
}

/// A base frame, see `asm/x86_64/base.s`.
pub(crate) type BaseFrame = unsafe extern "sysv64" fn();

/// That of a stack that is switched to, and that calls an [`Entry`](super::Entry).
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn base_of_switched() {
    naked_asm!(
        include_str!("../../asm/x86_64/base.s"),
        include_str!("../../asm/x86_64/base_switched.s"),
        include_str!("../../asm/x86_64/base_call.s"),
        include_str!("../../asm/x86_64/resume.s"),
        ".cfi_endproc",
    )
}

/// The same for a task, which waits in deeper frames.
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn base_of_scheduled() {
    naked_asm!(
        include_str!("../../asm/x86_64/base.s"),
        include_str!("../../asm/x86_64/base_scheduled.s"),
        include_str!("../../asm/x86_64/base_call.s"),
        include_str!("../../asm/x86_64/resume.s"),
        ".cfi_endproc",
    )
}

/// That of a stack that is entered, and that calls an [`EntryOfEntered`](super::EntryOfEntered).
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn base_of_entered() {
    naked_asm!(
        include_str!("../../asm/x86_64/base.s"),
        include_str!("../../asm/x86_64/base_entered.s"),
        include_str!("../../asm/x86_64/base_call.s"),
        include_str!("../../asm/x86_64/base_return.s"),
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
            include_str!("../../asm/x86_64/stack_pointer.s"),
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
            include_str!("../../asm/x86_64/save_float_control.s"),
            in("rdi") words,
            options(nostack, preserves_flags),
        );
    }
}

pub(super) fn load_float_control(words: &FloatControl) {
    // SAFETY: the words were saved on this thread, so they are words that the processor takes.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/load_float_control.s"),
            in("rdi") words,
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
            include_str!("../../asm/x86_64/valgrind_request.s"),
            in("rax") &request,
            inout("rdx") answer,
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
            include_str!("../../asm/x86_64/prefetch.s"),
            address = in(reg) address,
            options(nostack, readonly, preserves_flags),
        );
    }
}
