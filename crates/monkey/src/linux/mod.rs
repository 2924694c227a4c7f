//! The functions that stand in for libc's.
//!
//! A call on a thread without a hub, or of a part that is not taken over, goes to the definition that comes next
//! in the program. Any other goes to the kernel, in a form that does not block; only if it would block
//! does the greenlet park, and it tries again.
//!
//! Rules for everything here: allocate nothing (the caller may be an allocator), take no lock that a caller
//! may hold, call no function that is taken over, set `errno` as libc would and leave it alone otherwise,
//! and never unwind.

#[cfg(not(target_feature = "crt-static"))]
mod away;
mod call;
mod descriptors;
mod epoll_set;
mod fork;
mod futex;
#[cfg(not(target_feature = "crt-static"))]
mod hosts;
mod locks;
mod messages;
#[cfg(not(target_feature = "crt-static"))]
mod names;
mod next;
mod pieces;
mod process;
mod raw;
mod readiness;
#[cfg(not(target_feature = "crt-static"))]
mod signals;
mod sockets;
mod streams;
mod take_over;
mod threads;
mod time;
mod transfer;
mod vfork;

use crate::patch::Why;
use crate::{Part, Patch, Unsupported};

/// Called before parts are taken over.
pub(crate) fn prepare(patch: Patch) -> Result<(), Unsupported> {
    if cfg!(target_feature = "crt-static") && patch.takes(Part::Names) {
        return Err(Unsupported(Why::StaticNames));
    }
    fork::watch();
    Ok(())
}

/// Called once parts are taken over.
pub(crate) fn take_over_what_is_there(patch: Patch) {
    #[cfg(not(target_feature = "crt-static"))]
    if patch.takes(Part::Signals) {
        signals::adopt();
    }
    #[cfg(target_feature = "crt-static")]
    let _ = patch;
}

/// The functions of a part.
pub(crate) fn symbols(part: Part) -> &'static [&'static [&'static str]] {
    match part {
        Part::Socket => &[sockets::SYMBOLS, messages::SYMBOLS],
        Part::Time => &[time::SYMBOLS],
        Part::Poll => &[readiness::SYMBOLS],
        Part::Process => &[process::SYMBOLS, vfork::SYMBOLS],
        Part::Files => &[streams::SYMBOLS, descriptors::SYMBOLS, locks::SYMBOLS, transfer::SYMBOLS],
        #[cfg(not(target_feature = "crt-static"))]
        Part::Names => &[names::SYMBOLS, hosts::SYMBOLS],
        #[cfg(target_feature = "crt-static")]
        Part::Names => &[],
        Part::Sync => &[futex::SYMBOLS, threads::SYMBOLS],
        #[cfg(not(target_feature = "crt-static"))]
        Part::Signals => &[signals::SYMBOLS],
        #[cfg(target_feature = "crt-static")]
        Part::Signals => &[],
    }
}
