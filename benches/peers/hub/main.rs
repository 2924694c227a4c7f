//! The scheduler beside tokio, smol, may and, where it is installed, Go, each on one thread.

mod go;
#[path = "../golang.rs"]
mod golang;
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
    let mut contestants = vec![&greenlets::GREENLETS, &tokio::TOKIO, &smol::SMOL, &may::MAY];
    if go::build() {
        contestants.push(&go::GO);
    }
    suite::main(rows::ROWS, &contestants);
}
