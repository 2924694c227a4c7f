//! How late a ticker is beside somebody who never waits.

mod greenlets;
mod ticks;

fn main() {
    ticks::main(&[greenlets::GREENLETS], concat!(env!("CARGO_TARGET_TMPDIR"), "/fairness.jsonl"));
}
