//! What the program does without a URL: it crawls a site of its own twice, once
//! one page after the other and once with a pool of greenlets, and compares.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::args::Args;
use crate::crawler::{self, Options};
use crate::gauge::Gauge;
use crate::report::Report;
use crate::server;
use crate::site::Site;

/// How long each answer is held back, as if it came from far away.
const DELAY: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Comparison {
    sequential: Report,
    concurrent: Report,
    speedup: f64,
    same_findings: bool,
}

/// Runs both crawls, of the site in a folder; true if they found the same and
/// all could be fetched.
pub fn run(args: &Args, folder: &Path) -> io::Result<bool> {
    let site = Rc::new(read_site(folder)?);
    let page_count = site.len();
    let gauge = Rc::new(Gauge::default());
    let (url, server) = server::start(site, DELAY, &gauge)?;
    if !args.json {
        print(&format!("{url} serves {page_count} pages, each answer after {DELAY:?}.\n"))?;
    }

    let pooled = args.crawl_options();
    let single = Options { concurrency: 1, ..pooled };
    let sequential = crawler::crawl(vec![url.clone()], &single, &gauge);
    let concurrent = crawler::crawl(vec![url], &pooled, &gauge);
    server.kill().map_err(|error| io::Error::other(error.to_string()))?;

    let mut comparison = Comparison::new(sequential, concurrent);
    let in_order = comparison.in_order();
    if args.json {
        comparison.sequential.page_urls.clear();
        comparison.concurrent.page_urls.clear();
        print(&format!("{}\n", serde_json::to_string(&comparison)?))?;
    } else {
        comparison.sequential.print_errors();
        comparison.concurrent.print_errors();
        print(&comparison.table())?;
        print(&comparison.verdict())?;
    }
    Ok(in_order)
}

/// The site of a folder, or if that is gone, of the current directory.
fn read_site(folder: &Path) -> io::Result<Site> {
    Site::of_tree(folder).or_else(|_| Site::of_tree(&env::current_dir()?))
}

impl Comparison {
    fn new(sequential: Report, concurrent: Report) -> Self {
        Self {
            speedup: sequential.seconds / concurrent.seconds,
            same_findings: sequential.page_urls == concurrent.page_urls
                && sequential.broken == concurrent.broken,
            sequential,
            concurrent,
        }
    }

    fn in_order(&self) -> bool {
        let reports = [&self.sequential, &self.concurrent];
        self.same_findings && reports.iter().all(|report| report.errors.is_empty())
    }

    fn table(&self) -> String {
        let pool = format!("pool of {}", self.concurrent.concurrency);
        let mut table = format!("\n{:18}{:>16}{pool:>16}\n", "", "one by one");
        table += &self.row("pages", |report| HumanCount(report.pages as u64));
        table += &self.row("bytes", |report| HumanBytes(report.bytes));
        table += &self.row("broken links", |report| report.broken.len());
        table += &self.row("seconds", |report| format!("{:.2}", report.seconds));
        table += &self.row("pages per second", |report| format!("{:.1}", report.pages_per_second));
        table += &self.row("peak greenlets", |report| report.peak_greenlets);
        table += &self.row("OS threads", Report::os_threads_text);
        table
    }

    fn row<T: Display>(&self, name: &str, figure: impl Fn(&Report) -> T) -> String {
        let sequential = figure(&self.sequential).to_string();
        let concurrent = figure(&self.concurrent).to_string();
        format!("{name:18}{sequential:>16}{concurrent:>16}\n")
    }

    fn verdict(&self) -> String {
        let mut text = format!("\nThe pool is {:.1} times as fast. ", self.speedup);
        text += if self.same_findings {
            "Both crawls found the same pages and the same broken links.\n"
        } else {
            "The two crawls DISAGREE on the pages or the broken links.\n"
        };
        for link in &self.concurrent.broken {
            text += &format!("broken: {link}\n");
        }
        text
    }
}

/// Like `print!`, but does not panic when nobody listens.
fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
