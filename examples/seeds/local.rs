//! Data of which each greenlet has its own: what one sets, the other does not see.

use std::cell::Cell;

use greenlet::{join_all, local, spawn};

local! {
    static X: Cell<Option<u32>> = Cell::new(None);
}

fn show() {
    match X.with(Cell::get) {
        Some(x) => println!("{x}"),
        None => println!("x is not visible"),
    }
}

fn f1() {
    X.with(|x| x.set(Some(1)));
    show();
}

fn f2() {
    show();
}

pub(crate) fn main() {
    join_all([spawn(f1), spawn(f2)], None);
}
