use std::cell::Cell;
use std::rc::Rc;

/// Counts those who are inside at a time.
#[derive(Clone, Default)]
pub struct Inside(Rc<(Cell<usize>, Cell<usize>)>);

impl Inside {
    pub fn enter(&self) {
        let (now, most) = &*self.0;
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
    }

    pub fn leave(&self) {
        self.0.0.set(self.0.0.get() - 1);
    }

    pub fn most(&self) -> usize {
        self.0.1.get()
    }
}
