//! Memory that is allocated in one greenlet, read in another and freed in a third, while all of them sleep
//! in between: what an allocator with a cache for each thread has to bear.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use greenlet::spawn;

use crate::AtOnce;

const GREENLETS: usize = 100;
const ROUNDS: usize = 32;

/// A block whose bytes all say who has made it.
fn block(n: usize, round: usize) -> Vec<u8> {
    // From some bytes to some pages.
    vec![n as u8; 1 << (round / 2)]
}

/// A hundred greenlets allocate, with sleeps in between, and send half of it to one that frees it. Twice, because
/// the second time thread-local storage is used again.
///
/// # Panics
///
/// If memory has not what was written to it.
pub fn allocate() -> AtOnce {
    run();
    run()
}

fn run() -> AtOnce {
    let (sender, receiver) = channel();
    let reader = spawn(move || check(&receiver));
    let all = AtOnce::run(GREENLETS, move |n| (n, sender.clone()), |(n, sender)| fill(*n, sender));
    assert_eq!(reader.join().expect("no block has changed"), GREENLETS * ROUNDS / 2);
    all
}

fn fill(n: usize, sender: &Sender<(usize, Vec<u8>)>) {
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        let block = block(n, round);
        match round % 2 {
            0 => sender.send((n, block)).expect("somebody reads"),
            _ => kept.push(block),
        }
        if round % 10 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(kept.iter().flatten().all(|byte| *byte == n as u8));
}

/// How many blocks came.
fn check(receiver: &Receiver<(usize, Vec<u8>)>) -> usize {
    receiver.iter().inspect(|(n, block)| assert!(block.iter().all(|byte| *byte == *n as u8))).count()
}
