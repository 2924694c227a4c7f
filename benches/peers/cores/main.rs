//! What a second thread with a scheduler of its own adds, here and elsewhere.

#[path = "../../cores/greenlets.rs"]
mod greenlets;
#[path = "../../cores/threads.rs"]
mod threads;
// Criterion's part of it has nothing to do here.
#[allow(dead_code)]
#[path = "../../suite/time.rs"]
mod time;
mod tokio;

fn main() {
    let contestants = [greenlets::GREENLETS, tokio::TOKIO];
    threads::main(&contestants, concat!(env!("CARGO_TARGET_TMPDIR"), "/cores.jsonl"));
}
