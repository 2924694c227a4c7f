//! Echo servers over loopback: requests and answers of 64 bytes, the server on one core and the load on
//! another.
//!
//! ```sh
//! cargo bench --bench echo                      # everything
//! cargo bench --bench echo -- --connections 50 --rounds 1
//! cargo bench --bench echo -- --syscalls        # what strace counts, in place of the rest
//! ```

mod load;
mod machine;
mod outcome;
mod serve;
mod server;
mod syscalls;

use std::env;
use std::time::Duration;

use load::Load;
use outcome::Outcome;
use server::Server;

/// The size of a request and of its answer.
const MESSAGE: usize = 64;

/// What the command line asks for.
struct Plan {
    connections: Vec<usize>,
    rounds: usize,
    warm_up: Duration,
    measured: Duration,
    /// Whether it is only to see that it works.
    test: bool,
}

fn main() {
    machine::allow_many_files();
    let arguments: Vec<String> = env::args().collect();
    let value_of = |name| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let has = |name| arguments.iter().any(|argument| argument == name);
    if let Some(name) = value_of("--serve") {
        return serve::main(name);
    }
    let mut plan = Plan::new(has("--test"));
    if let Some(counts) = value_of("--connections") {
        plan.connections = counts.split(',').map(|count| count.parse().expect("a number")).collect();
    }
    if let Some(rounds) = value_of("--rounds") {
        plan.rounds = rounds.parse().expect("a number");
    }
    machine::stay_on(machine::Core::OfLoad);
    if has("--syscalls") { syscalls::main(plan.test) } else { plan.carry_out() }
}

impl Plan {
    fn new(test: bool) -> Self {
        let milliseconds = |number| Duration::from_millis(if test { 20 } else { number });
        Self {
            connections: if test { vec![1, 20] } else { vec![1, 50, 1000, 10_000] },
            rounds: if test { 1 } else { 3 },
            warm_up: milliseconds(300),
            measured: milliseconds(2000),
            test,
        }
    }

    /// Goes round all servers several times, so that what else the machine does falls on all of them.
    fn carry_out(&self) {
        let mut outcomes = Vec::new();
        for &connections in &self.connections {
            println!("\n{}", Outcome::HEAD);
            for contestant in serve::CONTESTANTS {
                outcomes.push(Outcome::new(contestant.name, connections));
            }
            let first = outcomes.len() - serve::CONTESTANTS.len();
            for _ in 0..self.rounds {
                outcomes[first..].iter_mut().for_each(|outcome| self.measure(outcome));
            }
            outcomes[first..].iter().for_each(|outcome| println!("{outcome}"));
        }
        if !self.test {
            outcome::write(&outcomes);
        }
    }

    fn measure(&self, outcome: &mut Outcome) {
        let server = Server::start(outcome.contestant);
        // What the first connection costs besides itself is not the connection's.
        Load::connect(server.address, 1).once();
        let before = server.resident();
        let mut load = Load::connect(server.address, outcome.connections);
        load.once();
        let resident = server.resident().saturating_sub(before) as f64 / outcome.connections as f64;
        load.run(self.warm_up);
        let begin = server.processor_time();
        let tally = load.run(self.measured);
        outcome.add(&tally, server.processor_time() - begin, resident);
    }
}
