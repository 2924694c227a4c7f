//! What can be asked of a task that returns, and of one that panics.
//!
//! A panic ends its task alone. It is reported, with the task's name, and kept for whoever asks.

use greenlet::{join_all, spawn};

fn win() -> &'static str {
    "You win!"
}

fn fail() -> &'static str {
    panic!("You failed!")
}

pub(crate) fn main() {
    let (winner, loser) = (spawn(win), spawn(fail));
    println!("started: {} {}", winner.is_started(), loser.is_started()); // they run when this waits

    join_all([&winner, &loser], None); // no panic comes out of here
    println!("started: {} {}", winner.is_started(), loser.is_started());
    println!("ready: {} {}", winner.is_finished(), loser.is_finished());
    println!("value: {:?} {:?}", winner.value(), loser.value());
    println!("successful: {} {}", winner.is_successful(), loser.is_successful());
    if let Err(error) = loser.join() {
        println!("{error}"); // `error.resume()` would go on panicking here
    }
}
