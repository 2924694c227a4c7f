//! Floor 4: tasks, that is, greenlets which the hub runs.
//!
//! [`spawn`] queues a function and returns a [`GreenThread`], through which its end can be waited
//! for. Names and semantics follow gevent's `Greenlet` and eventlet's `GreenThread`, and
//! [`std::thread::JoinHandle`] where they disagree with Rust's habits.

mod error;
mod green_thread;
mod join;
mod spawn;

pub use self::error::TaskError;
pub use self::green_thread::GreenThread;
pub use self::join::join_all;
pub use self::spawn::{spawn, spawn_later};

use std::time::{Duration, Instant};

use crate::hub;

/// Lets others run for at least this long (gevent's `sleep`). Zero is [`yield_now`].
///
/// # Panics
///
/// If the greenlet unwinds: a destructor cannot wait while a panic or a kill passes through.
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
    hub::here().park_until(deadline, "sleep");
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
