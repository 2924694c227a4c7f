//! Generators.

mod ends;
#[cfg(feature = "hub")]
mod hub;
mod programs;
#[path = "../common/random.rs"]
mod random;
mod refusals;
mod resumer;
mod values;

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Panics as it is dropped.
#[derive(Default)]
struct Rude {
    _held: std::sync::Arc<()>,
}

impl Drop for Rude {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("rude"));
    }
}
