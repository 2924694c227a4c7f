//! The way of may, with one worker.

use std::io::Read;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::time::Instant;

use may::coroutine::sleep;
use may::go;
use may::os::unix::net::UnixStream;

use crate::ticks::{Contestant, MESSAGE, Ticks};

pub const MAY: Contestant = Contestant { name: "may", run };

fn run(socket: std::os::unix::net::UnixStream, mut ticks: Ticks) -> (Ticks, u64) {
    may::config().set_workers(1).set_worker_pin(false);
    let end = ticks.end;
    let reader = go!(move || {
        // SAFETY: the descriptor is open and given away.
        let mut socket = unsafe { UnixStream::from_raw_fd(socket.into_raw_fd()) };
        let mut read = 0;
        while Instant::now() < end {
            socket.read_exact(&mut [0; MESSAGE]).expect("there is always something");
            read += 1;
        }
        read
    });
    let ticker = go!(move || {
        while let Some(next) = ticks.next() {
            sleep(next.saturating_duration_since(Instant::now()));
            ticks.tick();
        }
        ticks
    });
    let read = reader.join().expect("it does not panic");
    (ticker.join().expect("it does not panic"), read)
}
