//! What is x86-64's own of a thread control block: where it is, and the header that compilers and the C
//! library read there without asking anybody.
//!
//! The places are part of the psABI of glibc: compilers read the stack guard there, and every header since
//! 2006 has had the others.

use super::Base;
use super::error::Reason;
use super::glibc::word;

const TCB: isize = 0x00;
const SELF: isize = 0x10;
/// Whether locks are taken in earnest.
const MULTIPLE_THREADS: isize = 0x18;
/// What all threads of a process have in common: the way into the kernel, the stack guard, the
/// pointer guard, and what is enforced of CET.
const SHARED: [isize; 4] = [0x20, 0x28, 0x30, 0x48];

/// Whether programs may set the thread base.
pub(super) fn check_processor() -> Result<(), Reason> {
    // SAFETY: asks for a number.
    let has_fsgsbase = unsafe { libc::getauxval(libc::AT_HWCAP2) } & 2 != 0;
    if has_fsgsbase { Ok(()) } else { Err(Reason::FsGsBase) }
}

/// Where a control block of this size begins, from the thread base.
pub(super) fn control_block(_: usize) -> isize {
    0
}

/// Where thread-locals are that the loader has placed at an offset in each block.
pub(super) fn static_place(base: Base, offset: isize) -> *mut u8 {
    base.address().wrapping_offset(offset.wrapping_neg())
}

/// Whether this thread's header is as known.
pub(super) fn check_header(base: Base, _: isize) -> Result<(), Reason> {
    let (base, address) = (base.address(), base.address().addr());
    // SAFETY: the words are in the header of this thread.
    if unsafe { word(base, TCB) == address && word(base, SELF) == address } {
        Ok(())
    } else {
        Err(Reason::Layout("a thread control block does not begin with its address"))
    }
}

/// Fills in the header of a block.
///
/// # Safety
///
/// `new` is the base of a new block, and `own` that of this thread.
pub(super) unsafe fn fill_in_header(new: *mut u8, own: *mut u8, _: isize) {
    // SAFETY: the caller's word.
    unsafe {
        let put = |place: isize, value: usize| new.offset(place).cast::<usize>().write(value);
        put(TCB, new.addr());
        put(SELF, new.addr());
        new.offset(MULTIPLE_THREADS).cast::<u32>().write(1);
        for place in SHARED {
            put(place, word(own, place));
        }
    }
}
