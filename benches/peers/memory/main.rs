//! What a million parked coroutines take, or as many as there can be.

#[path = "../../memory/census.rs"]
mod census;
mod coroutines;
#[path = "../../memory/greenlets.rs"]
mod greenlets;
mod tasks;
// Nothing waits here.
#[allow(dead_code)]
#[path = "../../suite/time.rs"]
mod time;

fn main() {
    let crowds: Vec<_> =
        greenlets::CROWDS.into_iter().chain(coroutines::CROWDS).chain(tasks::CROWDS).collect();
    census::main(&crowds, concat!(env!("CARGO_TARGET_TMPDIR"), "/memory.jsonl"));
}
