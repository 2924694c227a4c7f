//! What the programs in `src/bin` share: real servers to talk to, and [`AtOnce`], which does many things at the
//! same time and counts.
//!
//! The programs are for readers: each shows something that was never told of greenlets, and is run by a test.
//! Nothing here makes a call cooperative: that is what `greenlet_monkey::patch_all` is for.

mod allocate;
mod at_once;
pub mod servers;

pub use allocate::allocate;
pub use at_once::AtOnce;
