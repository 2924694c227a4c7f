//! What a million parked greenlets take: time, memory, page tables and mappings.

mod census;
mod greenlets;
// Nothing waits here.
#[allow(dead_code)]
#[path = "../suite/time.rs"]
mod time;

fn main() {
    census::main(&greenlets::CROWDS, concat!(env!("CARGO_TARGET_TMPDIR"), "/memory.jsonl"));
}
