//! How many there are of something, for the time that each of them lasts.

use std::cell::Cell;

/// One more while it lives.
pub(crate) struct OneMore<'a>(&'a Cell<usize>);

impl<'a> OneMore<'a> {
    #[inline]
    pub(crate) fn of(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for OneMore<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
