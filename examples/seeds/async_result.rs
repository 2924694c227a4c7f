//! An event that brings a message to all who wait for it.

use std::time::Duration;

use greenlet::sync::AsyncResult;
use greenlet::{join_all, sleep, spawn};

type Message = AsyncResult<&'static str>;

fn setter(message: &Message) {
    println!("Wait for me");
    sleep(Duration::from_secs(3));
    println!("Ok, I'm done");
    message.set("Hello!").expect("nobody else sets it");
}

fn waiter(message: &Message) {
    println!("I'll wait for you");
    println!("Got wake up message: {}", message.get().expect("a message, and no error"));
}

pub(crate) fn main() {
    let message = Message::new();
    let start = |body: fn(&Message)| {
        let message = message.clone();
        spawn(move || body(&message))
    };
    join_all([setter, waiter, waiter, waiter, waiter, waiter].map(start), None);
}
