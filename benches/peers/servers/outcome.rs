//! What was measured, and how it is shown.

use std::fmt;
use std::time::Duration;

use crate::load::Tally;
use crate::service::Service;

/// Where the results go: one JSON object a line.
const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/servers.jsonl");

/// One server with one service and one number of connections. Of several rounds the one counts in which the server
/// needed the least processor time a request.
pub struct Outcome {
    pub contestant: &'static str,
    pub service: Service,
    pub connections: usize,
    best: Round,
}

struct Round {
    requests_per_second: f64,
    median_us: f64,
    p99_us: f64,
    processor_us: f64,
    resident: f64,
}

impl Outcome {
    pub const HEAD: &str = "server      service  connections  requests/s    p50 us    p99 us  server CPU us/request  RSS B/connection";

    pub fn new(contestant: &'static str, service: Service, connections: usize) -> Self {
        let best = Round {
            requests_per_second: 0.0,
            median_us: 0.0,
            p99_us: 0.0,
            processor_us: f64::INFINITY,
            resident: 0.0,
        };
        Self { contestant, service, connections, best }
    }

    pub fn add(&mut self, tally: &Tally, processor: Duration, resident: f64) {
        let round = Round {
            requests_per_second: tally.requests as f64 / tally.elapsed.as_secs_f64(),
            median_us: tally.percentile(50.0),
            p99_us: tally.percentile(99.0),
            processor_us: processor.as_secs_f64() * 1e6 / tally.requests as f64,
            resident,
        };
        if round.processor_us < self.best.processor_us {
            self.best = round;
        }
    }

    fn json(&self) -> String {
        let Self { contestant, service, connections, best } = self;
        let service = service.name();
        let Round { requests_per_second, median_us, p99_us, processor_us, resident } = best;
        format!(
            r#"{{"contestant": "{contestant}", "service": "{service}", "connections": {connections}, "requests_per_second": {requests_per_second:.0}, "p50_us": {median_us:.1}, "p99_us": {p99_us:.1}, "cpu_us": {processor_us:.3}, "resident": {resident:.0}}}"#
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { requests_per_second, median_us, p99_us, processor_us, resident } = self.best;
        write!(
            f,
            "{:<11} {:<7} {:>12}  {requests_per_second:>10.0} {median_us:>9.1} {p99_us:>9.1} {processor_us:>22.2} {resident:>17.0}",
            self.contestant,
            self.service.name(),
            self.connections
        )
    }
}

pub fn write(outcomes: &[Outcome]) {
    let lines: Vec<String> = outcomes.iter().map(Outcome::json).collect();
    std::fs::write(FILE, lines.join("\n") + "\n").expect("a place for the results");
    println!("\nwritten to {FILE}");
}
