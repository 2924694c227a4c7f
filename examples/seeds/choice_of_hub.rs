//! Each thread has a hub of its own, made when it is first needed, and may choose how that waits.

use std::thread;
use std::time::Duration;

use greenlet::hub::{Backend, backend, use_backend};
use greenlet::sleep;

/// What there is to say of a thread that chose this.
fn work(choice: Backend) -> String {
    use_backend(choice).expect("the hub has not started yet");
    sleep(Duration::from_millis(1));
    let too_late = use_backend(choice).expect_err("it has started");
    format!("waits with {}; {too_late}", backend())
}

pub(crate) fn main() {
    for choice in [Backend::System, Backend::Poll] {
        match thread::spawn(move || work(choice)).join() {
            Ok(text) => println!("{text}"),
            Err(_) => println!("that thread panicked"),
        }
    }
}
