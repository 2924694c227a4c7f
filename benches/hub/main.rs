//! The scheduler.

mod greenlets;
mod rows;
#[path = "../suite/mod.rs"]
mod suite;

fn main() {
    suite::main(rows::ROWS, &[&greenlets::GREENLETS]);
}
