//! How a greenlet ends, and who hears of it.

mod drops;
mod errors;
mod kills;
mod parents;

use std::cell::Cell;
use std::rc::Rc;

use greenlet::Greenlet;

/// Counts drops.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn counter() -> Rc<Cell<u32>> {
    Rc::new(Cell::new(0))
}

/// A guard, and how often it has been dropped.
fn guard() -> (Dropped, Rc<Cell<u32>>) {
    let dropped = counter();
    (Dropped(dropped.clone()), dropped)
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Has a function called as the local data of the current greenlet is dropped.
fn as_local_data_goes(f: impl FnMut() + 'static) {
    greenlet::local! {
        static LOCAL: Cell<Option<OnDrop<Box<dyn FnMut()>>>> = Cell::default();
    }
    LOCAL.with(|local| local.set(Some(OnDrop(Box::new(f)))));
}

/// A greenlet that holds something while it waits for one switch from here, and ends with it.
fn suspended_with(held: impl Sized + 'static) -> Greenlet {
    let maker = Greenlet::current();
    let g = Greenlet::new(move |()| {
        let _held = held;
        maker.switch(())
    });
    g.switch(());
    g
}
