//! Thread-local storage of a greenlet's own: what code finds in it, and when it ends.
#![cfg(own_tls)]

mod destructors;
mod locals;
mod panics;
mod switches;
#[cfg(feature = "hub")]
mod tasks;
mod threads;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::Greenlet;

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(1) };
    static LIST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

fn own<T: 'static>() -> greenlet::Builder<T> {
    Greenlet::builder().own_tls()
}

/// Notes in a list which thread-local was destroyed.
struct Noted(Rc<RefCell<Vec<&'static str>>>, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Noted>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

type Notes = Rc<RefCell<Vec<&'static str>>>;
