//! A ticker beside a socket that can always be read, and somebody who never stops reading it.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Somebody with a scheduler.
pub struct Contestant {
    pub name: &'static str,
    /// Runs the ticker, and beside it a reader that reads messages until the ticks end; returns the
    /// ticks, and how many messages were read.
    pub run: fn(UnixStream, Ticks) -> (Ticks, u64),
}

const EVERY: Duration = Duration::from_millis(1);

/// How much the reader reads at once. The socket holds a thousand times as much.
pub const MESSAGE: usize = 64;

/// When to tick, and how late that was each time.
pub struct Ticks {
    next: Instant,
    /// When the ticks end, and the reader with them.
    pub end: Instant,
    late: Vec<Duration>,
}

impl Ticks {
    fn new(time: Duration) -> Self {
        let now = Instant::now();
        Self { next: now + EVERY, end: now + time, late: Vec::new() }
    }

    /// The moment of the next tick, which may be over, because none is left out.
    pub fn next(&self) -> Option<Instant> {
        (self.next < self.end).then_some(self.next)
    }

    /// A tick, now.
    pub fn tick(&mut self) {
        self.late.push(self.next.elapsed());
        self.next += EVERY;
    }
}

/// How late the ticks were, in microseconds, and how much was read meanwhile, in messages a second.
struct Round {
    median: f64,
    p99: f64,
    worst: f64,
    read: f64,
}

impl Round {
    fn of(contestant: &Contestant, time: Duration) -> Self {
        let (Ticks { mut late, .. }, read) = (contestant.run)(flooded_socket(), Ticks::new(time));
        late.sort();
        let percentile = |percentage: usize| late[(late.len() - 1) * percentage / 100].as_secs_f64() * 1e6;
        let read = read as f64 / time.as_secs_f64();
        Self { median: percentile(50), p99: percentile(99), worst: percentile(100), read }
    }
}

/// Runs the contestants one after the other and writes how late their tickers were: a table to the
/// terminal, one JSON object a line to `file`. Of several rounds the one counts whose worst tick was the best,
/// because other programs can only make ticks later.
pub fn main(contestants: &[Contestant], file: &str) {
    let test = env::args().any(|argument| argument == "--test");
    let (rounds, time) = if test { (1, 20) } else { (5, 1000) };
    println!("contestant   median us     p99 us   worst us   messages read/s");
    let mut lines = String::new();
    for contestant in contestants {
        let round = |_| Round::of(contestant, Duration::from_millis(time));
        let best = (0..rounds).map(round).min_by(|one, other| one.worst.total_cmp(&other.worst));
        let Round { median, p99, worst, read } = best.expect("at least one round");
        let name = contestant.name;
        println!("{name:<12} {median:>9.1} {p99:>10.1} {worst:>10.1} {read:>17.0}");
        lines += &format!(
            "{{\"contestant\": \"{name}\", \"median_us\": {median:.1}, \"p99_us\": {p99:.1}, \
             \"worst_us\": {worst:.1}, \"reads_per_second\": {read:.0}}}\n"
        );
    }
    if !test {
        fs::write(file, lines).expect("a place for the results");
        println!("written to {file}");
    }
}

/// A thread fills it by so much at a time that the reader never comes to the end, until it is closed.
fn flooded_socket() -> UnixStream {
    let (socket, mut other) = UnixStream::pair().expect("a pair of sockets");
    other.write_all(&[0; MESSAGE]).expect("room for a message");
    thread::spawn(move || while other.write_all(&[0; 1024 * MESSAGE]).is_ok() {});
    socket
}
