//! What a second thread with a hub of its own adds.

mod greenlets;
mod threads;
// Criterion's part of it has nothing to do here.
#[allow(dead_code)]
#[path = "../suite/time.rs"]
mod time;

fn main() {
    threads::main(&[greenlets::GREENLETS], concat!(env!("CARGO_TARGET_TMPDIR"), "/cores.jsonl"));
}
