//! What is sent: small values, which travel in a register, and large ones, which do not.

use std::sync::atomic::{AtomicUsize, Ordering};

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

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A value of several words that knows how many of its kind there are.
pub struct Large {
    words: [u64; 4],
}

impl Large {
    /// How many of them have been made and not been dropped.
    pub fn alive() -> usize {
        ALIVE.load(Ordering::Relaxed)
    }

    /// Starts to count anew: a program that has panicked leaves some behind.
    pub fn forget_the_living() {
        ALIVE.store(0, Ordering::Relaxed);
    }
}

impl Value for Large {
    fn of(number: u64) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
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
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
