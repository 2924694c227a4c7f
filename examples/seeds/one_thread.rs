//! Greenlets take turns within one thread of one process: the numbers of those stay the same.

use std::process;
use std::thread;

use greenlet::{Greenlet, join_all, yield_now};

fn show() {
    let greenlet = Greenlet::<()>::current();
    println!("{greenlet:?} - process {} - {:?}", process::id(), thread::current().id());
}

fn foo() {
    show();
    println!("Running in foo");
    yield_now();
    println!("Explicit context switch to foo again");
}

fn bar() {
    show();
    println!("Explicit context to bar");
    yield_now();
    println!("Implicit context switch back to bar");
}

pub(crate) fn main() {
    let task = |name, body: fn()| Greenlet::builder().name(name).spawn(body);
    join_all([task("foo", foo), task("bar", bar)], None);
}
