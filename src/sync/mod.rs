//! Floor 4: what greenlets of one thread wait for each other with.
//!
//! Everything here is first come, first served, and nothing barges past a waiter: what is given back
//! while somebody waits goes to the one who has waited longest, and to nobody else. What a greenlet
//! was woken for and does not take, because it is killed or timed out first, goes to the next one.
//!
//! Whoever does not have to wait goes on at once, and lets others run once in a while all the same, so
//! that a loop over something that is always free starves nobody. What is called `try_…` never does.
//!
//! How else a wait here may end, by a kill, in a destructor or in a deadlock: [Waiting](crate::hub#waiting).
//!
//! These types belong to one thread, so they are neither `Send` nor `Sync` and cost no atomic
//! operation; share them through [`Rc`](std::rc::Rc). For other threads there is
//! [`threads`](crate::threads).
//!
//! | here | from | |
//! |---|---|---|
//! | [`Event`] | gevent | a flag that many wait for |
//! | [`AsyncResult`] | gevent (eventlet's `Event`) | a value or an error that many wait for |
//! | [`Semaphore`], [`BoundedSemaphore`] | gevent, eventlet | a number of permits |
//! | [`Mutex`], [`Condvar`], [`RwLock`], [`Barrier`] | std | as there, without poisoning |
//! | [`RLock`] | gevent | a lock that its holder may take again |

mod async_result;
mod barrier;
mod bounded_semaphore;
mod condvar;
mod event;
mod mutex;
mod rlock;
mod rwlock;
mod semaphore;

pub use self::async_result::AsyncResult;
pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::bounded_semaphore::{BoundedSemaphore, ReleaseError};
pub use self::condvar::{Condvar, WaitTimeoutResult};
pub use self::event::Event;
pub use self::mutex::{Mutex, MutexGuard};
pub use self::rlock::{RLock, RLockGuard};
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use self::semaphore::{Semaphore, SemaphoreGuard};
