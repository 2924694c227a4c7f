//! Three ways to be impatient: from here on, within a block, and with an error of one's own.

use std::time::Duration;

use greenlet::{Timeout, sleep, spawn, with_timeout};

const SECOND: Duration = Duration::from_secs(1);

/// What a caller is told in place of the usual error.
#[derive(Debug)]
struct TooLong;

fn doze() {
    sleep(10 * SECOND);
}

/// Whatever this greenlet waits for from now on, it does not wait for longer than two seconds in all.
fn from_here_on() {
    let timeout = Timeout::start_new(2 * SECOND).expect("one that is new has not been started");
    if timeout.catch(|| spawn(doze).wait(None)).is_err() {
        println!("Could not complete");
    }
}

fn within_a_block() {
    if let Err(error) = with_timeout(SECOND, doze) {
        println!("{error}");
    }
}

fn with_an_error_of_its_own() -> Result<(), TooLong> {
    with_timeout(SECOND, doze).map_err(|_| TooLong)
}

pub(crate) fn main() {
    from_here_on();
    within_a_block();
    println!("{:?}", with_an_error_of_its_own());
}
