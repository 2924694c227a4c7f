//! Floor 4: what greenlets of one thread wait for each other with.
//!
//! Everything here is first come, first served, and nothing barges past a waiter.

mod event;
mod semaphore;

pub use event::Event;
pub use semaphore::{Semaphore, SemaphoreGuard};
