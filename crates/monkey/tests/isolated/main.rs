//! What concerns a whole process, each case in one of its own.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of C functions with what they take")]

mod allocator;
mod end;
mod files;
mod fork;
mod handlers;
mod inert;
mod installed;
#[path = "../common/isolation.rs"]
mod isolation;
mod poll;
#[cfg(feature = "own-tls")]
mod renewed_storage;
mod scale;
mod signals;

use isolation::isolated;
