//! What is AArch64's own of a thread control block: where it is, and its header.
//!
//! The control block ends where the thread base points, and thread-locals begin there, after two words: the
//! first is for the loader, which finds dynamic thread-locals by it, and nobody uses the second. Compilers
//! read nothing here: the stack guard is a variable of the loader's, and so is the guard of pointers.

use super::Base;
use super::error::Reason;
use super::glibc::{field, word};

/// Any program may set the thread base, on any such processor.
pub(super) fn check_processor() -> Result<(), Reason> {
    Ok(())
}

/// Where a control block of this size begins, from the thread base.
pub(super) fn control_block(size: usize) -> isize {
    0_isize.wrapping_sub_unsigned(size)
}

/// Where thread-locals are that the loader has placed at an offset in each block.
pub(super) fn static_place(base: Base, offset: isize) -> *mut u8 {
    base.address().wrapping_offset(offset)
}

/// Whether this thread's header is as known.
pub(super) fn check_header(base: Base, control_block: isize) -> Result<(), Reason> {
    let behind_the_block = control_block.wrapping_add_unsigned(field(c"_thread_db_pthread_dtvp")?) == 0;
    // SAFETY: a word of this thread's.
    if behind_the_block && unsafe { word(base.address(), 0) } != 0 {
        Ok(())
    } else {
        Err(Reason::Layout("a thread control block does not end at the thread base"))
    }
}

/// Fills in the header of a block.
///
/// # Safety
///
/// `new` is the base of a new block, and a control block begins there.
pub(super) unsafe fn fill_in_header(new: *mut u8, _: *mut u8, control_block: isize) {
    // SAFETY: the caller's word. It begins with whether locks are taken in earnest.
    unsafe { new.offset(control_block).cast::<u32>().write(1) };
}
