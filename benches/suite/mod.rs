//! What a suite of benchmarks is made of.
//!
//! A [`Row`] is something that is done, and a [`Contestant`] has a way of doing it. Every row is
//! run for one contestant after the other, so that figures of a row belong to one run. The package
//! in `benches/peers` runs these same rows with more contestants.
//!
//! A row can be run by criterion's clock, or a given number of times with an instruction counter:
//!
//! ```sh
//! cargo bench --bench switch                                    # by the clock
//! valgrind --tool=callgrind --instr-atstart=no BINARY --count 1000 ROW CONTESTANT
//! ```

mod counter;
pub mod run;
pub mod time;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};

use run::Run;
use time::Time;

/// Something that is done.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// How much one iteration does of what the figure is per.
    pub elements: u64,
    /// Fewer for what takes long to prepare: each sample is prepared anew.
    pub samples: usize,
    /// For what takes so long that every sample is one iteration.
    pub once_a_sample: bool,
    /// Too much for those who only want to see that it works, with criterion's `--test`.
    pub is_huge: bool,
    pub time: Time,
}

impl Row {
    pub const fn new(name: &'static str, elements: u64) -> Self {
        Self { name, elements, samples: 50, once_a_sample: false, is_huge: false, time: Time::Processor }
    }

    pub const fn samples(self, samples: usize) -> Self {
        Self { samples, ..self }
    }
}

/// How a contestant does what a row says.
pub type Way = fn(&mut Run<'_, '_>);

/// One of those that are compared, with its way for each row that it can do.
pub struct Contestant {
    pub name: &'static str,
    pub ways: &'static [(Row, Way)],
}

impl Contestant {
    fn way(&self, row: Row) -> Option<Way> {
        self.ways.iter().find(|(its, _)| its.name == row.name).map(|&(_, way)| way)
    }
}

/// Runs what the command line asks for. Criterion's own options are understood.
pub fn main(rows: &[Row], contestants: &[&Contestant]) {
    for (row, _) in contestants.iter().flat_map(|contestant| contestant.ways) {
        assert!(rows.iter().any(|listed| listed.name == row.name), "not in the list of rows: {}", row.name);
    }
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--count") {
        Some(at) => count(rows, contestants, &arguments[at + 1..]),
        None => {
            let is_test = arguments.iter().any(|argument| argument == "--test");
            time(rows.iter().filter(|row| !(is_test && row.is_huge)), contestants);
        }
    }
}

fn time<'a>(rows: impl Iterator<Item = &'a Row>, contestants: &[&Contestant]) {
    // Short, and measured twice by `benches/run`, rather than once for longer: a disturbance then falls
    // on one of the two.
    let criterion_of = |time| {
        let criterion = Criterion::default().with_measurement(time).without_plots();
        let (warm_up, measured) = (Duration::from_millis(500), Duration::from_millis(1500));
        criterion.warm_up_time(warm_up).measurement_time(measured).configure_from_args()
    };
    let (mut processor, mut wall) = (criterion_of(Time::Processor), criterion_of(Time::Wall));
    for row in rows {
        let criterion = match row.time {
            Time::Processor => &mut processor,
            Time::Wall => &mut wall,
        };
        let mut group = criterion.benchmark_group(row.name);
        group.throughput(Throughput::Elements(row.elements)).sample_size(row.samples);
        if row.once_a_sample {
            // A budget that is always exceeded: criterion then does with one iteration a sample.
            group.sampling_mode(SamplingMode::Flat);
            group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_nanos(1));
        }
        for contestant in contestants {
            if let Some(way) = contestant.way(*row) {
                group.bench_function(contestant.name, |bencher| way(&mut Run::timed(bencher, *row)));
            }
        }
        group.finish();
    }
}

/// Without arguments this prints what can be counted, which is what neither waits nor takes long: rows,
/// elements of an iteration, contestants.
fn count(rows: &[Row], contestants: &[&Contestant], arguments: &[String]) {
    let [iterations, row, contestant] = arguments else {
        for row in rows.iter().filter(|row| row.time == Time::Processor && row.elements < 1_000_000) {
            for contestant in contestants.iter().filter(|contestant| contestant.way(*row).is_some()) {
                println!("{}\t{}\t{}", row.name, row.elements, contestant.name);
            }
        }
        return;
    };
    let iterations = iterations.parse().expect("--count NUMBER ROW CONTESTANT");
    let row = rows.iter().find(|its| its.name == row).expect("a row of this suite");
    let contestant = contestants.iter().find(|its| its.name == contestant).expect("a contestant");
    contestant.way(*row).expect("a row that it can do")(&mut Run::counted(iterations, *row));
}
