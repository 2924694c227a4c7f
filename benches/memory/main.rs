//! What a million parked greenlets take: time, memory, page tables and mappings.

mod census;
mod greenlets;

fn main() {
    census::main(&greenlets::CROWDS, concat!(env!("CARGO_TARGET_TMPDIR"), "/memory.jsonl"));
}
