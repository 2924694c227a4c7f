//! Servers for the programs to talk to.
//!
//! [`Pages`] is served by greenlets of this very thread; the others are real programs, started for the time of
//! their value. `.ci/servers` says where those are, or unpacks them.

mod child;
mod pages;
mod postgres;
mod redis;

pub use child::Missing;
pub use pages::Pages;
pub use postgres::Postgres;
pub use redis::Redis;
