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
