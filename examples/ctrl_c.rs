//! Counts the seconds until Ctrl-C, and then ends in order.
//!
//!     cargo run --example ctrl_c

use std::io;
use std::time::Duration;

use greenlet::signal::{SIGINT, SIGTERM, Signals};
use greenlet::{sleep, spawn};

/// Says so when it goes.
struct Counter;

impl Drop for Counter {
    fn drop(&mut self) {
        println!("the counter is gone");
    }
}

pub(crate) fn main() -> io::Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let counter = Counter;
    let counting = spawn(move || {
        let _counter = counter;
        for second in 0.. {
            println!("{second}");
            sleep(Duration::from_secs(1));
        }
    });
    println!("press Ctrl-C");
    let signal = signals.wait();
    println!("signal {signal}");
    counting.kill().expect("this program unwinds");
    counting.wait(None);
    // From here on Ctrl-C does again what it always does.
    drop(signals);
    Ok(())
}
