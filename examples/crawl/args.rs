//! The command line.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Parser;

use crate::crawler::Options;

const EXIT_CODES: &str = "\
Exit code:
  0  all in order; without a URL: both crawls found the same (the site served
     there has a broken link on purpose)
  1  a crawled site has broken links, or something could not be fetched, or the
     two crawls of the site served here disagree
  2  wrong usage";

/// Crawls web sites and checks their links, on green threads.
///
/// Follows the links within each site (same scheme, host and port as the start
/// URL after its redirects) and reports those that are answered with an error
/// status. What cannot be fetched is tried once more at the end.
///
/// Without a URL no network is needed: it serves the files of this repository
/// to itself, each answer held back by 50 ms, and crawls them twice, first one
/// page after the other, then with a pool of greenlets.
#[derive(Parser)]
#[command(name = "crawl", after_help = EXIT_CODES)]
pub struct Args {
    /// Where to start, http or https; none: crawl the site served here
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,

    /// How many requests may be under way at once
    #[arg(long, value_name = "N", default_value = "100")]
    pub concurrency: NonZeroUsize,

    /// Fetch one page after the other (the same as --concurrency 1)
    #[arg(long, requires = "urls", conflicts_with = "concurrency")]
    pub sequential: bool,

    /// Stop after this many pages; which ones depends on the order of answers
    #[arg(long, value_name = "N", requires = "urls")]
    pub max_pages: Option<NonZeroUsize>,

    /// Give a request up if it takes longer to connect, or to be answered
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,

    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,

    /// Have `ureq` fetch over std's sockets, taken over by greenlet-monkey (a
    /// program of its own, which cargo builds first)
    #[arg(long)]
    pub monkey: bool,

    /// List the pages found
    #[arg(long, requires = "urls")]
    pub list: bool,
}

impl Args {
    pub fn crawl_options(&self) -> Options {
        Options {
            concurrency: if self.sequential { 1 } else { self.concurrency.get() },
            max_pages: self.max_pages.map(NonZeroUsize::get),
            timeout: self.timeout,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be a positive number of seconds".to_owned()),
    }
}
