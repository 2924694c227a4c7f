//! What a debugger and a profiler look at, and what overflows on the main thread.
//!
//! The tests beside it run it; `docs/debugging.md` shows it.

use std::hint::black_box;

use greenlet::Greenlet;

fn main() {
    let scene = std::env::args().nth(1);
    match scene.as_deref() {
        Some("nested") => in_main(stop_here),
        Some("adopted") => adopted(),
        Some("waiting") => waiting(),
        Some("busy") => in_main(busy),
        Some("overflow") => in_main(overflow),
        Some("overflow-of-main") => {
            Greenlet::<()>::new(|()| ()).switch(());
            overflow();
        }
        Some("overflow-at-exit") => std::mem::forget(suspended("left behind", Deep)),
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

/// Overflows when it is dropped.
struct Deep;

impl Drop for Deep {
    fn drop(&mut self) {
        overflow();
    }
}
