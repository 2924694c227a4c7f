//! A small crawler: some pages one after the other, and then all at once.
//!
//! `cargo run --example seed_pages -- http://localhost:8000/` fetches others.

mod arguments;
mod web;

use std::time::Instant;

use greenlet::{join_all, spawn};

fn fetch(url: &str) {
    println!("GET: {url}");
    match web::get(url) {
        Ok((_, body)) => println!("{} bytes received from {url}.", body.len()),
        Err(error) => println!("nothing received from {url}: {error}"),
    }
}

pub(crate) fn main() {
    let urls = arguments::or(["http://www.python.org/", "http://www.yahoo.com/", "http://github.com/"]);
    let start = Instant::now();
    one_by_one(&urls);
    println!("one by one: {:?}", start.elapsed());

    let start = Instant::now();
    all_at_once(&urls);
    println!("all at once: {:?}", start.elapsed());
}

pub(crate) fn one_by_one(urls: &[String]) {
    urls.iter().for_each(|url| fetch(url));
}

pub(crate) fn all_at_once(urls: &[String]) {
    let tasks = urls.iter().cloned().map(|url| spawn(move || fetch(&url)));
    join_all(tasks, None);
}
