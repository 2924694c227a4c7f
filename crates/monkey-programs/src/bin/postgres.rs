//! A hundred clients of PostgreSQL, each of the blocking crate `postgres`, each with a query of 50 ms: on one OS
//! thread.
//!
//! Inside, `postgres` has a runtime of tokio for each client, and waits in `epoll_wait`. A runtime notes in a
//! thread-local that it runs, and refuses to be run a second time meanwhile: it takes each greenlet for a thread, as
//! each has thread-local storage of its own.

use std::error::Error;

use monkey_programs::AtOnce;
use monkey_programs::servers::Postgres;
use postgres::{Client, NoTls};

const CLIENTS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    greenlet_monkey::patch_all()?;
    let server = Postgres::start(CLIENTS)?;
    let address = server.address();

    let connect = move |_| Client::connect(&address, NoTls).expect("the server accepts");
    let query = |client: &mut Client| {
        client.query_one("select pg_sleep(0.05)", &[]).expect("the server answers");
    };
    println!("postgres: queries of 50 ms: {}", AtOnce::run(CLIENTS, connect, query));
    Ok(())
}
