//! The same page five times: synchronously, and asynchronously, which is the same function in five
//! tasks. Waiting for the network is what lets the next one go on.

mod arguments;
mod web;

use std::time::Instant;

use greenlet::{join_all, spawn};

fn fetch(id: u32, url: &str) {
    println!("{id} begins");
    match web::get(url) {
        Ok((status, _)) => println!("{id} has status {status}"),
        Err(error) => println!("{id} failed: {error}"),
    }
}

pub(crate) fn synchronous(url: &str) {
    (0..5).for_each(|id| fetch(id, url));
}

pub(crate) fn asynchronous(url: &str) {
    let tasks = (0..5).map(|id| {
        let url = url.to_owned();
        spawn(move || fetch(id, &url))
    });
    join_all(tasks, None);
}

pub(crate) fn main() {
    let url = &arguments::or(["http://example.com/"])[0];
    for (name, run) in [("Synchronous", synchronous as fn(&str)), ("Asynchronous", asynchronous)] {
        println!("{name}:");
        let start = Instant::now();
        run(url);
        println!("{:?}", start.elapsed());
    }
}
