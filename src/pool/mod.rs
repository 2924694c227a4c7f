//! Floor 4: tasks and threads by the dozen.
//!
//! A [`Group`] holds tasks together, a [`Pool`] is a group of a limited size, and a [`Pile`] gives the
//! results of what it spawns in order. A [`ThreadPool`] has OS threads, for what blocks and cannot be
//! made not to.
//!
//! To join, and to spawn where there has to be room, is to wait; how that may end: [Waiting](crate::hub#waiting).

mod bounded;
mod crew;
mod group;
mod job;
mod lineage;
mod map;
mod pile;
mod thread_pool;

pub use bounded::Pool;
pub use group::Group;
pub use job::Job;
pub use map::{Imap, ImapUnordered};
pub use pile::Pile;
pub use thread_pool::ThreadPool;
