//! Five tasks wait for an event, and all go on when it is set.

use std::rc::Rc;
use std::time::Duration;

use greenlet::sync::Event;
use greenlet::{join_all, sleep, spawn};

fn setter(event: &Event) {
    println!("Wait for me");
    sleep(Duration::from_secs(3));
    println!("Ok, I'm done");
    event.set();
}

fn waiter(event: &Event) {
    println!("I'll wait for you");
    event.wait();
    println!("Finish waiting");
}

pub(crate) fn main() {
    let event = Rc::new(Event::new());
    let start = |body: fn(&Event)| {
        let event = event.clone();
        spawn(move || body(&event))
    };
    join_all([setter, waiter, waiter, waiter, waiter, waiter].map(start), None);
}
