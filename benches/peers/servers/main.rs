//! Servers over loopback, which send back 64 bytes or greet over HTTP: the server on one core and the load
//! on another.
//!
//! ```sh
//! cargo bench --bench servers                   # everything
//! cargo bench --bench servers -- --service hello --connections 50 --rounds 1
//! cargo bench --bench servers -- --syscalls     # what strace counts, in place of the rest
//! ```

#[path = "../golang.rs"]
mod golang;
mod load;
mod machine;
mod outcome;
mod serve;
mod server;
mod service;
mod syscalls;

use std::env;
use std::time::Duration;

use load::Load;
use machine::Cores;
use outcome::Outcome;
use server::Server;
use service::Service;

/// What the command line asks for.
struct Plan {
    services: Vec<Service>,
    connections: Vec<usize>,
    rounds: usize,
    warm_up: Duration,
    measured: Duration,
    /// That of the servers.
    core: Option<usize>,
    /// Whether it is only to see that it works.
    test: bool,
}

fn main() {
    machine::allow_many_files();
    let arguments: Vec<String> = env::args().collect();
    let value_of = |name| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let has = |name| arguments.iter().any(|argument| argument == name);
    let service = value_of("--service").map(|name| Service::by_name(name).expect("a service"));
    if let Some(name) = value_of("--serve") {
        let core = value_of("--core").map(|core| core.parse().expect("a number"));
        return serve::main(name, service.expect("a service"), core);
    }
    let mut plan = Plan::new(has("--test"));
    plan.services.retain(|its| service.is_none_or(|service| *its == service));
    if let Some(counts) = value_of("--connections") {
        plan.connections = counts.split(',').map(|count| count.parse().expect("a number")).collect();
    }
    if let Some(rounds) = value_of("--rounds") {
        plan.rounds = rounds.parse().expect("a number");
    }
    let cores = Cores::find();
    if let Some(cores) = cores {
        machine::stay_on(cores.of_load);
        plan.core = Some(cores.of_server);
    }
    if has("--syscalls") { syscalls::main(plan.test, plan.core) } else { plan.carry_out() }
}

impl Plan {
    fn new(test: bool) -> Self {
        let milliseconds = |number| Duration::from_millis(if test { 20 } else { number });
        Self {
            services: Service::ALL.to_vec(),
            connections: if test { vec![1, 20] } else { vec![1, 50, 1000, 10_000] },
            rounds: if test { 1 } else { 3 },
            warm_up: milliseconds(300),
            measured: milliseconds(2000),
            core: None,
            test,
        }
    }

    /// Goes round all servers several times, so that what else the machine does falls on all of them.
    fn carry_out(&self) {
        let contestants = serve::contestants();
        let mut outcomes = Vec::new();
        for &service in &self.services {
            for &connections in &self.connections {
                println!("\n{}", Outcome::HEAD);
                let mut contest: Vec<_> =
                    contestants.iter().map(|its| Outcome::new(its.name, service, connections)).collect();
                for _ in 0..self.rounds {
                    contest.iter_mut().for_each(|outcome| self.measure(outcome));
                }
                contest.iter().for_each(|outcome| println!("{outcome}"));
                outcomes.append(&mut contest);
            }
        }
        if !self.test {
            outcome::write(&outcomes);
        }
    }

    fn measure(&self, outcome: &mut Outcome) {
        let (service, connections) = (outcome.service, outcome.connections);
        let server = Server::start(outcome.contestant, service, self.core);
        // What the first connection costs besides itself is not the connection's.
        Load::connect(server.address, service, 1).once();
        let before = server.resident();
        let mut load = Load::connect(server.address, service, connections);
        load.once();
        let resident = server.resident().saturating_sub(before) as f64 / connections as f64;
        load.run(self.warm_up);
        let begin = server.processor_time();
        let tally = load.run(self.measured);
        outcome.add(&tally, server.processor_time() - begin, resident);
    }
}
