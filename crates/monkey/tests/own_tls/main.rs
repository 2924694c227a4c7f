//! Greenlets that are threads to std and to C, after `patch_all`: each with thread-locals of its own, on one
//! OS thread. Each case is in a process of its own, because it changes what greenlets are made from then on.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    feature = "own-tls"
))]
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of C functions with what they take")]

mod c;
#[path = "../common/inside.rs"]
mod inside;
#[path = "../common/isolation.rs"]
mod isolation;
mod made;
#[path = "../common/std_locks.rs"]
mod std_locks;
mod sync;
mod thread_locals;

use std::time::Duration;

use greenlet::{GreenThread, spawn};

const MOMENT: Duration = Duration::from_millis(5);

/// Runs `body`, which is the test `case`, in a process of its own in which everything is taken over.
fn patched(case: &str, body: impl FnOnce()) {
    isolation::isolated(case, || {
        greenlet_monkey::patch_all().unwrap();
        let state = greenlet_monkey::own_tls();
        assert!(state.is_on(), "{state:?}");
        body();
    });
}

/// Spawns so many, and joins them in order.
fn join<R: 'static>(count: usize, body: impl Fn(usize) -> R + Clone + 'static) -> Vec<R> {
    let task = |n| {
        let body = body.clone();
        spawn(move || body(n))
    };
    let tasks: Vec<GreenThread<R>> = (0..count).map(task).collect();
    tasks.into_iter().map(|task| task.join().unwrap()).collect()
}
