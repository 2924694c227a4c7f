//! The same work on one thread, and on two at once, each with a scheduler and connections of its own.
//!
//! A server and the load from a second process cannot show on two cores what two threads serve: the load has no
//! core left. So both ends of a connection are in one thread here, and a thread's work is all its own. What that
//! shows is whether threads get into each other's way, in the library or in the kernel, and nothing about how
//! evenly connections are shared out among listeners.

use std::time::{Duration, Instant};
use std::{env, fs};

use crate::time::Time;

/// Somebody whose scheduler runs on several threads.
pub struct Contestant {
    pub name: &'static str,
    /// On so many threads, has clients ask servers over loopback until the end, and returns how many requests
    /// were answered.
    pub serve: fn(usize, Instant) -> u64,
}

/// On each thread.
pub const CONNECTIONS: usize = 50;

/// The size of a request and of its answer.
pub const MESSAGE: usize = 64;

/// The best of several rounds.
#[derive(Default)]
struct Outcome {
    requests_per_second: f64,
    /// Processor time of a request, both ends, in microseconds.
    cpu_us: f64,
}

impl Outcome {
    fn add(&mut self, contestant: &Contestant, threads: usize, time: Duration) {
        let (start, used) = (Instant::now(), Time::Processor.now());
        let requests = (contestant.serve)(threads, start + time) as f64;
        let cpu_us = (Time::Processor.now() - used).as_secs_f64() * 1e6 / requests;
        let requests_per_second = requests / start.elapsed().as_secs_f64();
        self.requests_per_second = self.requests_per_second.max(requests_per_second);
        self.cpu_us = if self.cpu_us == 0.0 { cpu_us } else { self.cpu_us.min(cpu_us) };
    }
}

/// Runs the contestants in turn on one thread and on two, and writes what they did: a table to the terminal, one
/// JSON object a line to `file`. Of several rounds the best counts, because other programs can only make it worse.
pub fn main(contestants: &[Contestant], file: &str) {
    let test = env::args().any(|argument| argument == "--test");
    let (rounds, time) = if test { (1, 20) } else { (7, 1000) };
    println!("contestant   threads   requests/s   CPU us a request");
    let mut lines = String::new();
    for contestant in contestants {
        let mut outcomes = [1, 2].map(|threads| (threads, Outcome::default()));
        for _ in 0..rounds {
            for (threads, outcome) in &mut outcomes {
                outcome.add(contestant, *threads, Duration::from_millis(time));
            }
        }
        for (threads, Outcome { requests_per_second, cpu_us }) in outcomes {
            let name = contestant.name;
            println!("{name:<12} {threads:>7} {requests_per_second:>12.0} {cpu_us:>18.2}");
            lines += &format!(
                "{{\"contestant\": \"{name}\", \"threads\": {threads}, \
                 \"requests_per_second\": {requests_per_second:.0}, \"cpu_us\": {cpu_us:.3}}}\n"
            );
        }
    }
    if !test {
        fs::write(file, lines).expect("a place for the results");
        println!("written to {file}");
    }
}
