//! Three names looked up at the same time, with a limit of five seconds, by what std has for that.
//!
//! gevent's `patch_socket` brings the lookups along; here they are a part of their own.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use greenlet::{join_all, spawn};
use greenlet_monkey::Patch;

fn host_by_name(name: &str) -> Option<IpAddr> {
    (name, 0).to_socket_addrs().ok()?.map(|address| address.ip()).next()
}

pub(crate) fn main() {
    Patch::new().socket(true).names(true).sync(true).apply().expect("this is Linux");
    let jobs = ["localhost", "127.0.0.1", "::1"].map(|name| spawn(move || host_by_name(name)));
    join_all(&jobs, Some(Duration::from_secs(5)));
    let values: Vec<_> =
        jobs.into_iter().filter(|job| job.is_finished()).map(|job| job.join().unwrap()).collect();
    println!("{values:?}");
}
