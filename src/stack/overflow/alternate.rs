//! A signal stack for threads that have none: those that std did not start, and those that are ending,
//! which std has taken it from.

use std::mem;
use std::ptr::{self, NonNull};

/// A signal stack of this thread, until it is dropped.
pub(crate) struct AlternateStack {
    base: NonNull<libc::c_void>,
}

/// Room for the handler and for the registers of any processor.
const SIZE: usize = 64 * 1024;

impl AlternateStack {
    /// Gives the thread one, unless it has one.
    pub(crate) fn unless_present() -> Option<Self> {
        // SAFETY: reads the present setting; maps fresh memory; sets it for this thread.
        unsafe {
            let mut present: libc::stack_t = mem::zeroed();
            if libc::sigaltstack(ptr::null(), &mut present) != 0 || present.ss_flags & libc::SS_DISABLE == 0 {
                return None;
            }
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let base = libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0);
            if base == libc::MAP_FAILED {
                // Without it an overflow ends the process all the same, only silently.
                return None;
            }
            let stack = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: SIZE };
            libc::sigaltstack(&stack, ptr::null_mut());
            NonNull::new(base).map(|base| Self { base })
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own. Where it is still this thread's signal stack, it
        // is taken out of use first.
        unsafe {
            let mut present: libc::stack_t = mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut present);
            if present.ss_sp == self.base.as_ptr() {
                let disabled =
                    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: SIZE };
                libc::sigaltstack(&disabled, ptr::null_mut());
            }
            libc::munmap(self.base.as_ptr(), SIZE);
        }
    }
}
