//! Code that knows nothing of greenlets, in greenlets, with everything taken over.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of C functions with what they take")]

mod c;
mod closing;
mod files;
#[path = "../common/inside.rs"]
mod inside;
mod kill;
mod messages;
mod names;
mod net;
mod poll;
mod process;
#[path = "../common/std_locks.rs"]
mod std_locks;
mod sync;
mod time;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use greenlet::{GreenThread, spawn};

/// Takes everything over, and runs `body` in a greenlet.
fn patched<R: 'static>(body: impl FnOnce() -> R + 'static) -> R {
    greenlet_monkey::patch_all().unwrap();
    spawn(body).join().unwrap()
}

/// Returns when everybody has run who waits for a descriptor that is ready.
fn let_waiters_run() {
    let (mut last, mut other) = UnixStream::pair().unwrap();
    let writing = spawn(move || other.write_all(b"x").unwrap());
    // It becomes ready after the others.
    last.read_exact(&mut [0]).unwrap();
    writing.join().unwrap();
}

/// Spawns all of them, and then joins them in order.
fn join<R: 'static>(tasks: impl IntoIterator<Item = GreenThread<R>>) -> Vec<R> {
    let tasks: Vec<_> = tasks.into_iter().collect();
    tasks.into_iter().map(|task| task.join().unwrap()).collect()
}
