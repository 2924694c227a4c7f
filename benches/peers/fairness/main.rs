//! How late a ticker is beside somebody who never waits, here and elsewhere.

#[path = "../../fairness/greenlets.rs"]
mod greenlets;
mod may;
mod smol;
#[path = "../../fairness/ticks.rs"]
mod ticks;
mod tokio;

fn main() {
    let contestants = [greenlets::GREENLETS, tokio::TOKIO, smol::SMOL, may::MAY];
    ticks::main(&contestants, concat!(env!("CARGO_TARGET_TMPDIR"), "/fairness.jsonl"));
}
