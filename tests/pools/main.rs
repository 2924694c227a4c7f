//! Groups, pools, piles, and pools of threads.
//!
//! Numbers such as `gevent 70`, `eventlet 8` or `E1` are those of the lists of the originals'
//! behaviours, and of their bugs, which this crate is held against.

mod groups;
mod maps;
mod piles;
mod places;
mod threads;

use std::rc::Rc;
use std::time::Duration;

use greenlet::sync::Event;
use greenlet::{TaskError, set_report_hook, yield_now};

const MS: Duration = Duration::from_millis(1);
const FOREVER: Duration = Duration::from_secs(1000);

/// Failures are expected here.
fn quiet() {
    set_report_hook(|_| ());
}

/// A body that waits for an event.
fn waits(event: &Rc<Event>) -> impl FnOnce() + 'static {
    let event = event.clone();
    move || event.wait()
}

fn all_others_run() {
    (0..10).for_each(|_| yield_now());
}

fn texts(results: impl Iterator<Item = Result<i32, TaskError>>) -> Vec<String> {
    results.map(|result| result.map_or_else(|error| error.to_string(), |n| n.to_string())).collect()
}

/// A function for `map` of which one call fails.
fn fails_at(bad: i32) -> impl Fn(i32) -> i32 + 'static {
    move |n| {
        assert!(n != bad, "number {n}");
        n
    }
}
