//! Floor 4: tasks, that is, greenlets which the hub runs.
//!
//! [`spawn`] queues a function and returns a [`GreenThread`], through which its end can be waited
//! for. Names and semantics follow gevent's `Greenlet` and eventlet's `GreenThread`, and
//! [`std::thread::JoinHandle`] where they disagree with Rust's habits.

mod error;
mod green_thread;
mod handle;
mod ident;
mod join;
mod kill;
mod life;
mod links;
mod rare;
mod shared;
mod spawn;
mod tree;

pub use self::error::TaskError;
pub use self::green_thread::GreenThread;
pub use self::handle::Task;
pub use self::join::{IWait, iwait, join_all, wait};
pub use self::kill::kill_all;
pub(crate) use self::links::Callbacks;
pub use self::links::LinkId;
pub(crate) use self::spawn::spawn_for_nobody;
pub use self::spawn::{spawn, spawn_later};
pub use self::tree::task_tree;

use std::time::{Duration, Instant};

use crate::hub;

/// Lets others run for at least this long (gevent's `sleep`). Zero is [`yield_now`].
///
/// # Panics
///
/// If the greenlet unwinds: a destructor cannot wait while a panic or a kill passes through. See
/// [Waiting](crate::hub#waiting).
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let tasks: Vec<_> = (0..100).map(|_| greenlet::spawn(|| greenlet::sleep(Duration::from_millis(20)))).collect();
/// greenlet::join_all(&tasks, None);
/// assert!(start.elapsed() < Duration::from_millis(1000));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    if duration.is_zero() {
        return yield_now();
    }
    match Instant::now().checked_add(duration) {
        Some(deadline) => sleep_until(deadline),
        // Further away than the clock can express: until it is interrupted.
        None => loop {
            sleep(Duration::from_secs(u32::MAX.into()));
        },
    }
}

/// Lets others run until `deadline`.
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    hub::here().wait_until(deadline, "sleep");
}

/// Lets every greenlet that is ready run before going on (gevent's `sleep(0)`).
///
/// # Panics
///
/// As [`sleep`].
#[track_caller]
pub fn yield_now() {
    hub::here().yield_now();
}

/// Waits until nothing else is ready to run, and there is nothing to do but to wait for I/O or timers
/// (gevent's `idle`). Several who do this go on one after the other, in the order in which they came.
///
/// # Panics
///
/// As [`sleep`].
///
/// ```
/// let busy = greenlet::spawn(|| (0..10).for_each(|_| greenlet::yield_now()));
/// greenlet::idle();
/// assert!(busy.is_finished());
/// ```
#[track_caller]
pub fn idle() {
    hub::here().idle();
}
