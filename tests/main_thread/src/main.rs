//! What a debugger and a profiler look at, what overflows on the main thread, and what has no other at first.
//!
//! The tests beside it run it; `docs/debugging.md` shows it.

use std::hint::black_box;
use std::thread;

use greenlet::Greenlet;

fn main() {
    let scene = std::env::args().nth(1);
    match scene.as_deref() {
        Some("nested") => in_main(stop_here),
        Some("adopted") => adopted(),
        Some("orphaned") => orphaned(),
        Some("waiting") => waiting(),
        Some("busy") => in_main(busy),
        Some("overflow") => in_main(overflow),
        Some("overflow-of-main") => {
            Greenlet::<()>::new(|()| ()).switch(());
            overflow();
        }
        Some("overflow-at-exit") => std::mem::forget(suspended("left behind", Deep)),
        Some("threads-later") => threads_later(),
        _ => panic!("there is no {scene:?}"),
    }
}

/// A greenlet that does something in a greenlet.
#[inline(never)]
fn in_main(end: fn()) {
    Greenlet::<()>::builder().name("outer").build(move |()| in_outer(end)).switch(());
    black_box("in_main");
}

#[inline(never)]
fn in_outer(end: fn()) {
    Greenlet::<()>::builder().name("inner").build(move |()| in_inner(end)).switch(());
    black_box("in_outer");
}

#[inline(never)]
fn in_inner(end: fn()) {
    end();
    black_box("in_inner");
}

/// A greenlet whose parent has not started it.
#[inline(never)]
fn adopted() {
    let parent = suspended("parent", ());
    let child = Greenlet::<()>::builder().name("child").parent(&parent).build(|()| in_inner(stop_here));
    Greenlet::<()>::builder().name("starter").build(move |()| in_starter(&child)).switch(());
    black_box("adopted");
}

#[inline(never)]
fn in_starter(child: &Greenlet) {
    child.switch(());
    black_box("in_starter");
}

/// A greenlet whose parent is dead.
#[inline(never)]
fn orphaned() {
    let maker = Greenlet::<()>::current();
    let parent = Greenlet::<()>::new(|()| ());
    let child = Greenlet::<()>::builder().name("child").parent(&parent).build(move |()| {
        wait(&maker);
        in_inner(stop_here);
    });
    child.switch(());
    parent.switch(());
    child.switch(());
    black_box("orphaned");
}

/// Greenlets in every state there is.
fn waiting() {
    let _reader = suspended("reader", ());
    let _writer = suspended("writer", ());
    let _unstarted = Greenlet::<()>::builder().name("unstarted").build(|()| ());
    in_main(stop_here);
}

fn suspended(name: &str, held: impl Sized + 'static) -> Greenlet {
    let maker = Greenlet::current();
    let g = Greenlet::builder().name(name).build(move |()| {
        let _held = held;
        wait(&maker);
    });
    g.switch(());
    g
}

#[inline(never)]
fn wait(maker: &Greenlet) {
    maker.switch(());
    black_box("wait");
}

/// Where a debugger stops.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn stop_here() {
    black_box("stop_here");
}

/// What a profiler measures.
#[inline(never)]
fn busy() {
    for n in 0..1_000_000_000_u64 {
        black_box(n);
    }
}

fn overflow() {
    descend(0);
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { descend(depth + 1) + black_box(1) }
}

/// Has threads only after a greenlet with thread-local storage of its own, and does to all of them what takes
/// a signal to each.
fn threads_later() {
    unsafe extern "C" {
        safe fn alarm(seconds: u32) -> u32;
        safe fn getuid() -> u32;
        safe fn setuid(id: u32) -> i32;
    }
    if let Ok(options) = Greenlet::builder().try_own_tls() {
        options.build(|()| ()).switch(());
    }
    let other = thread::spawn(thread::park);
    // A thread that does not answer is waited for.
    alarm(60);
    assert_eq!(setuid(getuid()), 0);
    other.thread().unpark();
    other.join().unwrap();
}

/// Overflows when it is dropped.
struct Deep;

impl Drop for Deep {
    fn drop(&mut self) {
        overflow();
    }
}
