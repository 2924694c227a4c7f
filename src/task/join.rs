//! Waiting for several tasks.

use std::time::Duration;

use super::GreenThread;
use crate::time::deadline;

/// Waits until all `tasks` have ended, or `timeout` is over; returns those that have ended
/// (gevent's `joinall`).
///
/// ```
/// use std::time::Duration;
///
/// let tasks = [greenlet::spawn(|| 1), greenlet::spawn(|| 2)];
/// assert_eq!(greenlet::join_all(&tasks, Some(Duration::from_secs(1))).len(), 2);
/// assert_eq!(tasks[1].value(), Some(&2));
/// ```
#[track_caller]
pub fn join_all<'a, T: 'static>(
    tasks: impl IntoIterator<Item = &'a GreenThread<T>>,
    timeout: Option<Duration>,
) -> Vec<&'a GreenThread<T>> {
    let until = deadline(timeout);
    let tasks: Vec<_> = tasks.into_iter().collect();
    for task in &tasks {
        if !task.wait_until(until) {
            break;
        }
    }
    tasks.into_iter().filter(|task| task.is_finished()).collect()
}
