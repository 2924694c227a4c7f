//! Counts what a crowd takes: each crowd in a process of its own, which says how far it came.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, panic};

use crate::time::Time;

/// Many of somebody's coroutines, all waiting at once.
pub struct Crowd {
    pub contestant: &'static str,
    /// What they wait for, and on how large a stack.
    pub parked: &'static str,
    /// Starts this many, has them end, and tells the census.
    pub live: fn(usize, &mut Census),
}

/// How many there are to be, unless the command line says otherwise.
const COUNT: usize = 1_000_000;
/// With `--test`: only to see that it works.
const TEST_COUNT: usize = 2_000;

/// Runs all crowds and writes what they took: a table to the terminal, one JSON object a line to `file`.
pub fn main(crowds: &[Crowd], file: &str) {
    let arguments: Vec<String> = env::args().collect();
    let value_of = |name| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let number = |text: &String| text.parse().expect("a number");
    let test = arguments.iter().any(|argument| argument == "--test");
    let count = value_of("--count").map_or(if test { TEST_COUNT } else { COUNT }, number);
    if let Some(which) = value_of("--crowd") {
        return Census::begin(count, &crowds[number(which)]);
    }
    println!("{}", Outcome::HEAD);
    let mut lines = String::new();
    for (which, crowd) in crowds.iter().enumerate() {
        let mut outcome = in_its_own_process(which, count);
        if outcome.reached < count {
            // What each took is measured in a crowd that is not too large.
            outcome.facts = in_its_own_process(which, outcome.reached / 10 * 9).facts;
        }
        println!("{}", outcome.row(crowd));
        writeln!(lines, "{}", outcome.json(crowd, count)).expect("memory for a line");
    }
    if !test {
        fs::write(file, lines).expect("a place for the results");
        println!("written to {file}");
    }
}

/// What a crowd said before its process ended.
struct Outcome {
    /// How many were parked.
    reached: usize,
    /// `None` if the process failed.
    facts: Option<Facts>,
}

struct Facts {
    resident: f64,
    page_tables: f64,
    mappings: f64,
    start: f64,
    finish: f64,
}

fn in_its_own_process(which: usize, count: usize) -> Outcome {
    let program = env::current_exe().expect("the path of this program");
    let arguments = ["--crowd", &which.to_string(), "--count", &count.to_string()];
    let mut child = Command::new(program)
        .args(arguments)
        // To print one needs memory mappings, of which there may be none left.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let mut outcome = Outcome { reached: 0, facts: None };
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("text");
        let numbers: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [reached] => outcome.reached = reached as usize,
            [resident, page_tables, mappings, start, finish] => {
                outcome.facts = Some(Facts { resident, page_tables, mappings, start, finish });
            }
            _ => {}
        }
    }
    child.wait().expect("it ends");
    outcome
}

impl Outcome {
    const HEAD: &str = "contestant   parked in                        parked   RSS B  tables B  mappings  \
                        start ns  finish ns";

    fn row(&self, crowd: &Crowd) -> String {
        let who = format!("{:<12} {:<26} {:>12}", crowd.contestant, crowd.parked, self.reached);
        match &self.facts {
            Some(facts) => format!(
                "{who} {:>7.0} {:>9.0} {:>9} {:>9.0} {:>10.0}",
                facts.resident, facts.page_tables, facts.mappings, facts.start, facts.finish
            ),
            None => format!("{who}   and failed"),
        }
    }

    fn json(&self, crowd: &Crowd, wanted: usize) -> String {
        let Crowd { contestant, parked, .. } = crowd;
        let reached = self.reached;
        let mut json = format!(
            r#"{{"contestant": "{contestant}", "parked": "{parked}", "wanted": {wanted}, "reached": {reached}"#
        );
        if let Some(Facts { resident, page_tables, mappings, start, finish }) = self.facts {
            write!(
                json,
                r#", "resident": {resident}, "page_tables": {page_tables}, "mappings": {mappings}, "start_ns": {start}, "finish_ns": {finish}"#
            )
            .expect("memory for a line");
        }
        json + "}"
    }
}

/// How many of the crowd of this process wait, or are about to.
static PARKED: AtomicUsize = AtomicUsize::new(0);

/// Takes notes of a crowd's life.
pub struct Census {
    count: usize,
    before: Usage,
    began: Duration,
    full: Option<(Usage, Duration)>,
}

impl Census {
    fn begin(count: usize, crowd: &Crowd) {
        // A contestant that cannot go on panics, on whichever thread. Unwinding would take memory.
        panic::set_hook(Box::new(|_| {
            say(PARKED.load(Ordering::Relaxed));
            std::process::exit(1);
        }));
        let mut census = Self { count, before: Usage::now(), began: Time::Processor.now(), full: None };
        (crowd.live)(count, &mut census);
        census.end();
    }

    /// One more waits, or is about to: its stack is there.
    pub fn one_more(&self) {
        PARKED.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them wait, and from now on they end.
    pub fn everybody_is_here(&mut self) {
        self.full = Some((Usage::now(), Time::Processor.now()));
    }

    fn end(self) {
        let Some((full, began_to_end)) = self.full else { return };
        let ended = Time::Processor.now();
        let each = |total: f64| (total / self.count as f64).round();
        let nanoseconds = |time: Duration| each(time.as_nanos() as f64);
        say(self.count);
        say(format_args!(
            "{} {} {} {} {}",
            each(full.resident - self.before.resident),
            each(full.page_tables - self.before.page_tables),
            full.mappings - self.before.mappings,
            nanoseconds(began_to_end - self.began),
            nanoseconds(ended - began_to_end),
        ));
    }
}

/// To whoever started this process, at once.
fn say(what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}").and_then(|()| out.flush()).expect("somebody who listens");
}

/// What this process uses: bytes, and memory mappings. Zero where there is no /proc.
struct Usage {
    resident: f64,
    page_tables: f64,
    mappings: f64,
}

impl Usage {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
            kilobytes.unwrap_or(0.0) * 1024.0
        };
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self {
            resident: bytes("VmRSS:"),
            page_tables: bytes("VmPTE:"),
            mappings: maps.lines().count() as f64,
        }
    }
}
