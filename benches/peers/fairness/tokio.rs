//! The way of tokio's runtime for one thread.

use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::sleep_until;

use crate::ticks::{Contestant, MESSAGE, Ticks};

pub const TOKIO: Contestant = Contestant { name: "tokio", run };

fn run(socket: std::os::unix::net::UnixStream, mut ticks: Ticks) -> (Ticks, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        socket.set_nonblocking(true).expect("a mode that sockets have");
        let mut socket = UnixStream::from_std(socket).expect("a socket for the runtime");
        let end = ticks.end;
        let reader = tokio::spawn(async move {
            let mut read = 0;
            while Instant::now() < end {
                socket.read_exact(&mut [0; MESSAGE]).await.expect("there is always something");
                read += 1;
            }
            read
        });
        let ticker = tokio::spawn(async move {
            while let Some(next) = ticks.next() {
                sleep_until(next.into()).await;
                ticks.tick();
            }
            ticks
        });
        let read = reader.await.expect("it does not panic");
        (ticker.await.expect("it does not panic"), read)
    })
}
