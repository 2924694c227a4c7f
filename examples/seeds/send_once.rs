//! What one greenlet sends, any number of others wait for: a value or an error, and only once.
//!
//! eventlet's `Event` is an `AsyncResult` here: `send` is `set`, `wait` is `get`.

use greenlet::sync::AsyncResult;
use greenlet::{spawn, yield_now};

/// Somebody computes, and somebody else waits for the answer.
fn an_answer() {
    let event = AsyncResult::new();
    let add_one = {
        let event = event.clone();
        move |b: u32| event.set(b + 1)
    };
    drop(spawn(move || add_one(3)));
    println!("the answer is {}", event.get().expect("a value was sent"));
}

/// The sender goes on, the waiter runs when the sender waits, and a second value is refused.
fn a_value() {
    let event = AsyncResult::new();
    let waiter = {
        let event = event.clone();
        move || {
            println!("about to wait");
            println!("waited for {}", event.get().expect("a value was sent"));
        }
    };
    drop(spawn(waiter));
    yield_now();
    println!("ready: {}", event.is_ready());
    event.set("a").expect("the first one");
    println!("ready: {}", event.is_ready());
    yield_now();
    println!("refused: {:?}", event.set("whoops"));
}

/// An error is raised in whoever waits, as often as somebody does.
fn an_error() {
    let event = AsyncResult::<()>::new();
    event.set_error("out of order").expect("the first one");
    for _ in 0..2 {
        println!("failed: {}", event.get().expect_err("an error was sent"));
    }
}

pub(crate) fn main() {
    an_answer();
    a_value();
    an_error();
}
