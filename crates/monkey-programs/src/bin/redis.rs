//! A hundred clients of Redis, each of the blocking crate `redis`, each waiting 50 ms for an answer: on one OS
//! thread.
//!
//! `BLPOP` waits for an element of a list that nobody fills, as long as it is told.

use std::error::Error;

use monkey_programs::AtOnce;
use monkey_programs::servers::Redis;

fn main() -> Result<(), Box<dyn Error>> {
    greenlet_monkey::patch_all()?;
    let server = Redis::start()?;
    let client = redis::Client::open(server.url())?;

    let connect = move |_| client.get_connection().expect("the server accepts");
    let wait = |connection: &mut redis::Connection| {
        let nothing: Option<(String, String)> =
            redis::cmd("BLPOP").arg("nobody fills this").arg(0.05).query(connection).expect("it answers");
        assert!(nothing.is_none());
    };
    println!("redis: queries of 50 ms: {}", AtOnce::run(100, connect, wait));
    Ok(())
}
