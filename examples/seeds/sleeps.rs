//! Two tasks that sleep, for two seconds and for one. Together they take two, not three.

use std::time::{Duration, Instant};

use greenlet::{join_all, sleep, spawn};

fn foo() {
    println!("Running in foo");
    sleep(Duration::from_secs(2));
    println!("Explicit context switch to foo again");
}

fn bar() {
    println!("Explicit context to bar");
    sleep(Duration::from_secs(1));
    println!("Implicit context to switch back to bar");
}

pub(crate) fn main() {
    let start = Instant::now();
    join_all([spawn(foo), spawn(bar)], None);
    println!("about {:.0} s", start.elapsed().as_secs_f64());
}
