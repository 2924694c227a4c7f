//! Five fetches, one after the other and at the same time, by the same function: `patch_socket` is all that
//! it takes.

#[path = "web.rs"]
mod web;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use greenlet::{join_all, spawn};
use greenlet_monkey::Patch;

const FETCHES: usize = 5;

fn fetch(address: SocketAddr, id: usize) {
    println!("{id} begin request url");
    let len = web::get(address);
    println!("{id} get response of {len} bytes");
}

fn synchronous(address: SocketAddr) {
    (0..FETCHES).for_each(|id| fetch(address, id));
}

fn asynchronous(address: SocketAddr) {
    let tasks: Vec<_> = (0..FETCHES).map(|id| spawn(move || fetch(address, id))).collect();
    join_all(&tasks, None);
}

fn timed(name: &str, run: fn(SocketAddr), address: SocketAddr) {
    println!("{name}:");
    let start = Instant::now();
    run(address);
    eprintln!("{name} took {:?}", start.elapsed());
}

pub(crate) fn main() {
    Patch::new().socket(true).apply().expect("this is Linux");
    let address = web::serve(2 * FETCHES, Duration::from_millis(30));
    timed("Synchronous", synchronous, address);
    timed("Asynchronous", asynchronous, address);
}
