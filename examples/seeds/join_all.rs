//! Two tasks that take turns: one that yields lets the other one go on.

use greenlet::{join_all, spawn, yield_now};

fn test1() {
    println!("12");
    yield_now();
    println!("34");
}

fn test2() {
    println!("56");
    yield_now();
    println!("78");
}

pub(crate) fn main() {
    join_all([spawn(test1), spawn(test2)], None);
}
