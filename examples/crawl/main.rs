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
//! ```
//!
//! Where to read on: [`crawler`] is the pool of greenlets, [`fetch`] gets one
//! URL, [`http`] speaks over one connection, [`server`] is the other end.

mod args;
mod crawler;
mod demo;
mod fetch;
mod frontier;
mod gauge;
mod http;
mod links;
mod report;
mod server;
mod site;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use url::Url;

use args::Args;
use gauge::Gauge;
use report::{Problem, Report};

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.urls.is_empty() { demo::run(&args) } else { crawl_sites(&args) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crawl: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Crawls the sites named on the command line; true if all was in order.
fn crawl_sites(args: &Args) -> io::Result<bool> {
    let (starts, malformed) = parse_urls(&args.urls);
    let mut report = crawler::crawl(starts, &args.crawl_options(), &Rc::new(Gauge::default()));
    report.errors.extend(malformed);
    if !args.list {
        report.page_urls.clear();
    }
    show(&report, args.json)?;
    Ok(report.broken.is_empty() && report.errors.is_empty())
}

fn parse_urls(texts: &[String]) -> (Vec<Url>, Vec<Problem>) {
    let mut urls = Vec::new();
    let mut malformed = Vec::new();
    for text in texts {
        match links::parse_start(text) {
            Ok(url) => urls.push(url),
            Err(reason) => malformed.push(Problem::alone(text, reason)),
        }
    }
    (urls, malformed)
}

fn show(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)
    } else {
        report.print_errors();
        write!(out, "{report}")
    }
}
