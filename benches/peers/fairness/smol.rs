//! The way of smol, with the executor for one thread.

use std::time::Instant;

use smol::io::AsyncReadExt;
use smol::{Async, LocalExecutor, Timer};

use crate::ticks::{Contestant, MESSAGE, Ticks};

pub const SMOL: Contestant = Contestant { name: "smol", run };

fn run(socket: std::os::unix::net::UnixStream, mut ticks: Ticks) -> (Ticks, u64) {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let mut socket = Async::new(socket).expect("a socket for the reactor");
        let end = ticks.end;
        let reader = executor.spawn(async move {
            let mut read = 0;
            while Instant::now() < end {
                socket.read_exact(&mut [0; MESSAGE]).await.expect("there is always something");
                read += 1;
            }
            read
        });
        let ticker = executor.spawn(async move {
            while let Some(next) = ticks.next() {
                Timer::at(next).await;
                ticks.tick();
            }
            ticks
        });
        let read = reader.await;
        (ticker.await, read)
    }))
}
