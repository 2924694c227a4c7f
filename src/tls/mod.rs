//! Floor 1: blocks of thread-local storage, as the C library makes them for its threads.
//!
//! Whoever runs with such a block in force finds other thread-locals than the rest of its OS thread: other
//! values of `thread_local!`, another `errno`, another thread identity. A block is what the C library's
//! loader makes for a new thread, with a header filled in as for one.
//!
//! That takes a C library whose layout is known: glibc, and a processor and a kernel that let programs set
//! the thread base. What differs between architectures is in one file for each, behind the same names.
//! [`probe`] tries it all before anything relies on it, and says what is missing. This floor knows nothing
//! of greenlets, and never changes the storage in force but for the time of a call.

#[cfg(all(own_tls, target_arch = "aarch64"))]
mod aarch64;
#[cfg(not(own_tls))]
mod absent;
#[cfg(own_tls)]
mod base;
#[cfg(own_tls)]
mod block;
mod error;
#[cfg(own_tls)]
mod glibc;
#[cfg(own_tls)]
mod images;
#[cfg(own_tls)]
mod keys;
#[cfg(own_tls)]
mod pool;
#[cfg(own_tls)]
mod trial;
#[cfg(all(own_tls, target_arch = "x86_64"))]
mod x86_64;

#[cfg(all(own_tls, target_arch = "aarch64"))]
use aarch64 as target;
#[cfg(all(own_tls, target_arch = "x86_64"))]
use x86_64 as target;

#[cfg(not(own_tls))]
pub(crate) use absent::{Base, Block, Pool, on_base, probe, resume_call, switch, switch_call};
#[cfg(own_tls)]
pub(crate) use base::{Base, on_base, resume_call, switch, switch_call};
#[cfg(own_tls)]
pub(crate) use block::Block;
pub use error::OwnTlsError;
#[cfg(own_tls)]
pub(crate) use glibc::probe;
#[cfg(own_tls)]
pub(crate) use pool::Pool;

/// A thread-local of the caller's. When a block is used again, it stays as it is and all others are new.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    /// Tells where it is in the storage in force.
    pub(crate) locate: unsafe extern "C" fn() -> *const (),
    pub(crate) len: usize,
}
