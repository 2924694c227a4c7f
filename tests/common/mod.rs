//! What tests of tasks that wait for each other need.

// Each test crate uses some of it.
#![allow(dead_code)]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::{GreenThread, yield_now};

pub const MS: Duration = Duration::from_millis(1);
/// Longer than any test has to wait.
pub const FOREVER: Duration = Duration::from_secs(20);

/// What happened, in order. Clones write into the same one.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn note(&self, text: impl Into<String>) {
        self.0.borrow_mut().push(text.into());
    }

    /// What was noted since the last call.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Runs everybody who is ready, and who gets ready by that, as long as that goes on for.
pub fn settle() {
    (0..20).for_each(|_| yield_now());
}

/// Does something until a condition holds, which is not to take for ever.
pub fn repeat_until(condition: impl Fn() -> bool, mut something: impl FnMut()) {
    let most = 20_000_000;
    assert!(
        (0..most).any(|_| condition() || {
            something();
            false
        }),
        "it never came to that"
    );
}

/// Lets the time pass, and nobody run.
pub fn spin(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Kills a task and waits for its end.
pub fn end<T>(task: &GreenThread<T>) {
    task.kill().unwrap();
    assert!(task.wait(Some(FOREVER)));
}

/// Has one implementation for every type, and a second one for what may go to other threads or be
/// shared with them: then `_` is ambiguous, and what names it does not compile.
pub trait StaysOnItsThread<A> {
    const IT_DOES: () = ();
}

pub struct CanBeSent;
pub struct CanBeShared;

impl<T: ?Sized> StaysOnItsThread<()> for T {}
impl<T: ?Sized + Send> StaysOnItsThread<CanBeSent> for T {}
impl<T: ?Sized + Sync> StaysOnItsThread<CanBeShared> for T {}
