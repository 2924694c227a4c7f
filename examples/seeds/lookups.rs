//! Names are looked up all at once, and what is not known after five seconds is not waited for.
//!
//! The system's resolver does the work on threads, so nobody here is held up. Give it other names:
//! `cargo run --example seed_lookups -- localhost`.

mod arguments;

use std::time::Duration;

use greenlet::{dns, join_all, spawn};

pub(crate) fn main() {
    look_up(arguments::or(["www.baidu.com", "www.gevent.org", "www.python.org"]));
}

pub(crate) fn look_up(names: Vec<String>) {
    let jobs: Vec<_> = names.into_iter().map(|name| spawn(move || dns::lookup(&name))).collect();
    join_all(&jobs, Some(Duration::from_secs(5)));
    for job in &jobs {
        match job.value() {
            Some(Ok(addresses)) => println!("{}", addresses[0]),
            Some(Err(error)) => println!("{error}"),
            None => println!("no answer yet"),
        }
    }
}
