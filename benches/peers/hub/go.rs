//! The way of Go, where there is Go: a program of its own (`go/main.go`), which measures itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::golang;
use crate::rows::*;
use crate::suite::run::Run;
use crate::suite::time::Time;
use crate::suite::{Contestant, Row};

pub const GO: Contestant = Contestant {
    name: "go",
    ways: &[
        (WAVES, repeat),
        (CROWD, repeat),
        (YIELD_2, repeat),
        (YIELD_1000, repeat),
        (QUEUE, repeat),
        (CHANNEL, repeat),
        (SEMAPHORE, repeat),
        (MUTEX, repeat),
        (EVENT, repeat),
        (TIMEOUT, repeat),
        (TIMERS_100K, repeat),
        (TIMERS_1M, repeat),
        (SLEEP_1M, repeat),
        (SLEEP_100K, over),
    ],
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hub/go/main.go");
const PROGRAM: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-hub");

/// Builds the program; false if there is no Go.
pub fn build() -> bool {
    golang::build(SOURCE, PROGRAM)
}

/// Has the program do what a row says, again and again. What only the first time costs is not in it.
fn repeat(run: &mut Run) {
    let row = run.row;
    let mut program = Program::start(row);
    program.repeat(1);
    run.custom(|iterations, _| {
        let Taken { processor, wall } = program.repeat(iterations);
        match row.time {
            Time::Processor => processor,
            Time::Wall => wall,
        }
    });
}

fn over(run: &mut Run) {
    let mut program = Program::start(SLEEP_100K);
    over_the_longest(run, || _ = program.repeat(1));
}

/// The program, which ends when nobody asks it any more.
struct Program {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

struct Taken {
    processor: Duration,
    wall: Duration,
}

impl Program {
    fn start(row: Row) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg(row.name).env("GOMAXPROCS", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { asks: process.stdin.take(), answers, process }
    }

    fn repeat(&mut self, iterations: u64) -> Taken {
        let asks = self.asks.as_mut().expect("it is asked until this is dropped");
        writeln!(asks, "{iterations}").expect("it reads what it is asked");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        let mut times = line.split_whitespace().map(|number| number.parse().expect("nanoseconds"));
        let mut next = || Duration::from_nanos(times.next().expect("two numbers"));
        Taken { processor: next(), wall: next() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.asks = None;
        self.process.wait().expect("it ends");
    }
}
