//! A crawler and link checker written in blocking style on green threads.
//!
//! Every page is asked for by plain code: resolve the name, connect, write the
//! request, read the answer, pick the links out. Each of these calls parks its
//! greenlet while another one runs, so a hundred pages are under way at once on
//! a single OS thread, and the state they share needs no lock.
//!
//! Without a URL the program serves the repository's own files to itself and
//! crawls them twice, which shows what the greenlets gain:
//!
//! ```text
//! cargo run --release --example crawl
//! cargo run --release --example crawl -- http://127.0.0.1:8000/
//! cargo run --release --example crawl -- --monkey
//! ```
//!
//! Where to read on: [`crawler`] is the pool of greenlets, [`fetch`] gets one
//! URL, [`http`] speaks over one connection, [`server`] is the other end. [`monkey`] does
//! it all again with a client that has never heard of greenlets.

mod args;
mod cli;
mod crawler;
mod demo;
mod fetch;
mod frontier;
mod gauge;
mod http;
mod links;
mod monkey;
mod report;
mod server;
mod site;
mod wire;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    match args.monkey {
        true => monkey::run(),
        false => cli::run(&args, Path::new(env!("CARGO_MANIFEST_DIR"))),
    }
}
