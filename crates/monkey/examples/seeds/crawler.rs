//! A crawler before and after `patch_all`.
//!
//! Before, greenlets are no help: each fetch blocks the thread, and they come one after the other. After,
//! the same function fetches all at the same time.

#[path = "web.rs"]
mod web;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use greenlet::{join_all, spawn};

const PAGES: usize = 3;

fn fetch(address: SocketAddr, page: usize) {
    println!("GET: {page}");
    let len = web::get(address);
    println!("{len} bytes received from {page}.");
}

fn crawl(address: SocketAddr) {
    let tasks: Vec<_> = (0..PAGES).map(|page| spawn(move || fetch(address, page))).collect();
    join_all(&tasks, None);
}

pub(crate) fn main() {
    let address = web::serve(2 * PAGES, Duration::from_millis(30));
    let start = Instant::now();
    crawl(address);
    eprintln!("before patch_all: {:?}", start.elapsed());

    greenlet_monkey::patch_all().expect("this is Linux");
    let start = Instant::now();
    crawl(address);
    eprintln!("after patch_all: {:?}", start.elapsed());
}
