//! What is sent: small values, which travel in a register, and large ones, which do not.

use std::cell::Cell;

/// A value with a number.
pub trait Value: 'static {
    fn of(number: u64) -> Self;

    fn number(self) -> u64;
}

impl Value for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(self) -> u64 {
        self
    }
}

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// A value of several words that knows how many of its kind there are on this thread.
pub struct Large {
    words: [u64; 4],
}

impl Large {
    /// How many of them have been made and not been dropped.
    pub fn alive() -> usize {
        ALIVE.get()
    }
}

impl Value for Large {
    fn of(number: u64) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self { words: [number, !number, number, !number] }
    }

    fn number(self) -> u64 {
        let number = self.words[0];
        assert_eq!(self.words, [number, !number, number, !number]);
        number
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}
