//! The switch layer beside corosensei and generator.

#[path = "../../switch/bare.rs"]
mod bare;
mod corosensei;
mod generator;
#[path = "../../switch/greenlets.rs"]
mod greenlets;
#[path = "../../switch/rows.rs"]
mod rows;
#[path = "../../suite/mod.rs"]
mod suite;

fn main() {
    let contestants = &[
        &greenlets::GREENLETS,
        &corosensei::COROSENSEI,
        &generator::GENERATOR,
        &bare::SWAP,
        &bare::SWAP_FROM_CURRENT,
        &bare::CALL,
    ];
    suite::main(rows::ROWS, contestants);
}
