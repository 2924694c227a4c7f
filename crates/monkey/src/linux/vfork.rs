//! `vfork`, whose child runs in its parent's memory: there it would park the parent's greenlets, and close what they wait
//! for. On a thread with a hub it is a `fork`, which does all that may be asked of a `vfork`.

use std::arch::naked_asm;
use std::ffi::c_void;

use greenlet::hub::embed;
use libc::pid_t;

use super::next::Next;
use crate::Part;

pub(super) const SYMBOLS: &[&str] = &["vfork"];

/// Not defined as the others are: libc's returns twice to whoever called it, so nobody may be in between.
// SAFETY: it does what libc's does, so whoever calls that may call this.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn vfork() -> pid_t {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("endbr64", "sub rsp, 8", "call {which}", "add rsp, 8", "jmp rax", which = sym which);
    #[cfg(target_arch = "aarch64")]
    naked_asm!(
        "hint #34", // bti c
        "stp x29, x30, [sp, #-16]!",
        "bl {which}",
        "ldp x29, x30, [sp], #16",
        "mov x16, x0",
        "br x16",
        which = sym which,
    );
}

/// The function to go on with.
extern "C" fn which() -> *const c_void {
    static NEXT: Next = Next::of(c"vfork");
    let fork = libc::fork as *const c_void;
    if !Part::Process.is_on() {
        return NEXT.address().map_or(fork, <*mut c_void>::cast_const);
    }
    if embed::has_hub() {
        Part::Process.count_call();
        return fork;
    }
    Part::Process.count_passed();
    NEXT.address().map_or(fork, <*mut c_void>::cast_const)
}
