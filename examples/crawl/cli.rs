//! What the program does, as its command line says.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use url::Url;

use crate::args::Args;
use crate::gauge::Gauge;
use crate::report::{Problem, Report};
use crate::{crawler, demo, links};

/// Crawls what the command line names, or the site in `folder`.
pub fn run(args: &Args, folder: &Path) -> ExitCode {
    let outcome = if args.urls.is_empty() { demo::run(args, folder) } else { crawl_sites(args) };
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
