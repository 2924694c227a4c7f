//! This crate's way.

use std::io::Read;

use greenlet::net::UnixStream;
use greenlet::{sleep_until, spawn};

use crate::ticks::{Contestant, MESSAGE, Ticks};

pub const GREENLETS: Contestant = Contestant { name: "greenlet", run };

fn run(socket: std::os::unix::net::UnixStream, mut ticks: Ticks) -> (Ticks, u64) {
    let mut socket = UnixStream::from_std(socket).expect("a socket for the hub");
    let end = ticks.end;
    let reader = spawn(move || {
        let mut read = 0;
        while std::time::Instant::now() < end {
            socket.read_exact(&mut [0; MESSAGE]).expect("there is always something");
            read += 1;
        }
        read
    });
    let ticker = spawn(move || {
        while let Some(next) = ticks.next() {
            sleep_until(next);
            ticks.tick();
        }
        ticks
    });
    let read = reader.join().expect("it does not panic");
    (ticker.join().expect("it does not panic"), read)
}
