//! Small numbers for tasks, used again.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::greenlet::thread::on_thread;
use crate::greenlet::words;

thread_local! {
    static NUMBERS: RefCell<Numbers> = const { RefCell::new(Numbers { free: BinaryHeap::new(), next: 0 }) };
}

struct Numbers {
    free: BinaryHeap<Reverse<usize>>,
    /// The smallest that was never used.
    next: usize,
}

/// The smallest number that no other task of this thread has. Dropping it gives it back.
pub(super) struct Ident(usize);

impl Ident {
    pub(super) fn take() -> Self {
        on_thread(|| {
            NUMBERS.with_borrow_mut(|numbers| {
                let reused = numbers.free.pop().map(|Reverse(number)| number);
                Self(reused.unwrap_or_else(|| {
                    numbers.next += 1;
                    numbers.next - 1
                }))
            })
        })
    }

    pub(super) fn number(&self) -> usize {
        self.0
    }
}

impl Drop for Ident {
    fn drop(&mut self) {
        // The thread may be ending, and its numbers gone.
        let give_back = || NUMBERS.try_with(|numbers| numbers.borrow_mut().free.push(Reverse(self.0)));
        let _ = on_thread(|| words::without_waiting(give_back));
    }
}
