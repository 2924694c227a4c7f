//! The crawl of `examples/crawl`, with another way to get a URL: [`fetch`] uses the blocking crate `ureq`, which
//! knows nothing of greenlets, over std's sockets. All else is the example's.
//!
//! ```sh
//! cargo run --release --example crawl -- --monkey    # from the repository's root
//! ```

#[path = "../../../../../examples/crawl/args.rs"]
mod args;
#[path = "../../../../../examples/crawl/cli.rs"]
mod cli;
#[path = "../../../../../examples/crawl/crawler.rs"]
mod crawler;
#[path = "../../../../../examples/crawl/demo.rs"]
mod demo;
mod fetch;
#[path = "../../../../../examples/crawl/frontier.rs"]
mod frontier;
#[path = "../../../../../examples/crawl/gauge.rs"]
mod gauge;
#[path = "../../../../../examples/crawl/links.rs"]
mod links;
#[path = "../../../../../examples/crawl/report.rs"]
mod report;
#[path = "../../../../../examples/crawl/server.rs"]
mod server;
#[path = "../../../../../examples/crawl/site.rs"]
mod site;
#[path = "../../../../../examples/crawl/wire.rs"]
mod wire;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    if let Err(error) = greenlet_monkey::patch_all() {
        eprintln!("crawl: {error}");
        return ExitCode::FAILURE;
    }
    cli::run(&args, Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))
}
