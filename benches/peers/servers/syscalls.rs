//! System calls an echo, as strace counts them. They are made so slow by it that nothing else can be
//! measured in the same run.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::load::Load;
use crate::serve;
use crate::server::Server;
use crate::service::Service;

const RESULTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/syscalls.jsonl");
const CONNECTIONS: usize = 50;

pub fn main(test: bool, core: Option<usize>) {
    let time = Duration::from_millis(if test { 20 } else { 3000 });
    let mut lines = String::new();
    for contestant in serve::contestants() {
        let counts = count(contestant.name, time, core);
        let shown: Vec<String> = counts.iter().map(|(name, each)| format!("{name} {each:.2}")).collect();
        println!("{:<11} {}", contestant.name, shown.join(", "));
        let fields: Vec<String> =
            counts.iter().map(|(name, each)| format!(r#""{name}": {each:.4}"#)).collect();
        lines +=
            &format!("{{\"contestant\": \"{}\", \"calls\": {{{}}}}}\n", contestant.name, fields.join(", "));
    }
    if !test {
        fs::write(RESULTS, lines).expect("a place for the results");
        println!("written to {RESULTS}");
    }
}

/// What is made at least once in a hundred requests.
fn count(contestant: &str, time: Duration, core: Option<usize>) -> BTreeMap<String, f64> {
    let table = concat!(env!("CARGO_TARGET_TMPDIR"), "/strace");
    let server = Server::start_under(&["strace", "-f", "-c", "-o", table], contestant, Service::Echo, core);
    let requests = Load::connect(server.address, Service::Echo, CONNECTIONS).run(time).requests as f64;
    drop(server);
    let table = fs::read_to_string(table).expect("what strace has written");
    // % time, seconds, microseconds a call, calls, errors if there were any, name
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let each = words.get(3)?.parse::<f64>().ok()? / requests;
        Some((words.last()?.to_string(), each))
    };
    let counts = table.lines().filter_map(row);
    counts.filter(|(name, each)| name != "total" && *each >= 0.01).collect()
}
