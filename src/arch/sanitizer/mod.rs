//! What the compiler's sanitizers are told of switches.
//!
//! Code that is built with a sanitizer assumes that a thread has one stack. A [`Shadow`] is what such
//! a sanitizer keeps of a [`Continuation`](super::Continuation), or of each of the two sides of an
//! [`Entered`](super::Entered); one of these files defines it, and `build.rs` picks it by the flags of the build:
//!
//! - `none`: no sanitizer. Nothing is kept and nothing is done: a switch is the same instructions as
//!   if this folder did not exist.
//! - `address`: AddressSanitizer, which knows what part of the stack in use must not be touched, and
//!   moves locals to a *fake stack*, in order to find those that are used after their function returned.
//! - `thread`: ThreadSanitizer, which remembers what a thread does as one *fiber* or several.
//!
//! What happens to such a one is told by the same calls in all of them:
//!
//! - `move_to`: it is given a fresh stack;
//! - `leave`: it is about to be left for another;
//! - `succeed`: it is about to be continued by one that ends, as soon as its last functions have returned;
//! - `interrupt`: it is about to be continued by one that ends in the midst of its functions;
//! - `landed`: it runs;
//! - `leak`: it stays suspended for good, with all that it has.
//!
//! `docs/sanitizers.md` is about the same from a user's side.

#[cfg(greenlet_sanitizer = "address")]
mod address;
#[cfg(not(greenlet_sanitizer))]
mod none;
#[cfg(greenlet_sanitizer = "thread")]
mod thread;

#[cfg(greenlet_sanitizer = "address")]
pub(super) use address::Shadow;
#[cfg(not(greenlet_sanitizer))]
pub(super) use none::Shadow;
#[cfg(greenlet_sanitizer = "thread")]
pub(super) use thread::Shadow;
