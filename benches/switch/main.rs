//! The switch layer, beside the least that a switch can be on this machine.

mod bare;
mod greenlets;
mod rows;
#[path = "../suite/mod.rs"]
mod suite;

fn main() {
    suite::main(rows::ROWS, &[&greenlets::GREENLETS, &bare::SWAP, &bare::SWAP_FROM_CURRENT, &bare::CALL]);
}
