//! The scheduler beside tokio, smol and may, each on one thread.

#[path = "../../hub/greenlets.rs"]
mod greenlets;
mod may;
#[path = "../../hub/rows.rs"]
mod rows;
mod smol;
#[path = "../../suite/mod.rs"]
mod suite;
mod tokio;

fn main() {
    suite::main(rows::ROWS, &[&greenlets::GREENLETS, &tokio::TOKIO, &smol::SMOL, &may::MAY]);
}
