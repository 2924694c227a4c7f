//! The crawl: a pool of greenlets over one frontier.
//!
//! All workers share the state below through an `Rc`. They run on one OS thread
//! and take turns only where they wait, so a `RefCell` is all the protection it
//! needs, as long as no borrow is held across a wait.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use url::Url;

use crate::fetch::{Client, Document, FetchError};
use crate::frontier::{Frontier, Target};
use crate::gauge::Gauge;
use crate::links;
use crate::report::{Problem, Report};

pub struct Options {
    pub concurrency: usize,
    pub max_pages: Option<usize>,
    /// For connecting, and again for the answer.
    pub timeout: Duration,
}

struct Crawl {
    client: Client,
    frontier: Frontier,
    max_pages: usize,
    links: RefCell<HashMap<Url, Link>>,
    pages: RefCell<BTreeSet<Rc<Url>>>,
    bytes: Cell<u64>,
    progress: ProgressBar,
}

/// What is known about a URL.
struct Link {
    verdict: Verdict,
    /// The pages it was found on; not kept for those that are fine.
    pages: Vec<Rc<Url>>,
}

enum Verdict {
    Unknown,
    Fine,
    /// Answered, but with an error status.
    Broken(String),
    /// Not answered properly.
    Failed(String),
}

/// Crawls all that can be reached from the start URLs.
pub fn crawl(starts: Vec<Url>, options: &Options, gauge: &Rc<Gauge>) -> Report {
    gauge.restart();
    let begin = Instant::now();
    let crawl = Rc::new(Crawl::new(options));
    for url in starts {
        if crawl.note(&url, None) {
            let is_start = true;
            crawl.frontier.put_off(Target { url, is_start });
        }
    }

    // The crowd of workers may be too much for a server. That is not the links'
    // fault: what fails gets a second chance, with fewer of them.
    let few = options.concurrency.div_ceil(10);
    let mut errors = Vec::new();
    for (workers, is_last) in [(options.concurrency, false), (few, true)] {
        if crawl.frontier.begin_round() {
            errors.extend(crawl.run_round(workers, is_last, gauge));
        }
    }
    crawl.progress.finish_and_clear();
    crawl.report(options.concurrency, begin.elapsed(), errors, gauge)
}

impl Crawl {
    fn new(options: &Options) -> Self {
        Self {
            client: Client::new(options.timeout),
            frontier: Frontier::new(),
            max_pages: options.max_pages.unwrap_or(usize::MAX),
            links: RefCell::default(),
            pages: RefCell::default(),
            bytes: Cell::new(0),
            progress: progress_line(),
        }
    }

    /// Works the frontier off with a pool of greenlets. Returns their failures.
    fn run_round(self: &Rc<Self>, workers: usize, is_last: bool, gauge: &Rc<Gauge>) -> Vec<Problem> {
        let pool: Vec<_> = (0..workers)
            .map(|_| {
                let crawl = Rc::clone(self);
                gauge.spawn(move || crawl.work(is_last))
            })
            .collect();
        let failures = pool.into_iter().filter_map(|worker| worker.join().err());
        failures.map(|error| Problem::alone("crawl", format!("a worker died: {error}"))).collect()
    }

    /// What each greenlet of the pool does.
    fn work(&self, is_last_round: bool) {
        let mut fetcher = self.client.fetcher();
        while let Some(work) = self.frontier.next() {
            let target = &work.target;
            match fetcher.fetch(&target.url, target.is_start) {
                Err(error) if error.may_pass() && !is_last_round => {
                    self.frontier.put_off(target.clone());
                }
                outcome => self.record(&target.url, outcome),
            }
        }
    }

    fn record(&self, url: &Url, outcome: Result<Option<Document>, FetchError>) {
        match outcome {
            Ok(None) => self.settle(url, Verdict::Fine),
            Ok(Some(document)) => {
                self.settle(url, judge(url, &document));
                self.take_in(document);
            }
            Err(error) => self.settle(url, Verdict::Failed(error.to_string())),
        }
    }

    fn settle(&self, url: &Url, verdict: Verdict) {
        if let Some(link) = self.links.borrow_mut().get_mut(url) {
            if matches!(verdict, Verdict::Fine) {
                link.pages = Vec::new();
            }
            link.verdict = verdict;
        }
        self.progress.inc(1);
    }

    fn take_in(&self, document: Document) {
        let Some(html) = document.html else {
            self.bytes.update(|bytes| bytes + document.bytes);
            return;
        };
        let page = Rc::new(document.url);
        // Two URLs may redirect to the same page. It is read only once.
        if self.is_full() || !self.pages.borrow_mut().insert(Rc::clone(&page)) {
            return;
        }
        self.bytes.update(|bytes| bytes + document.bytes);
        if self.is_full() {
            self.frontier.close();
        }
        for url in links::links(&page, &html) {
            if self.note(&url, Some(&page)) {
                let is_start = false;
                self.frontier.add(Target { url, is_start });
            }
        }
    }

    fn is_full(&self) -> bool {
        self.pages.borrow().len() >= self.max_pages
    }

    /// Notes that a page (none: the user) has this link. Returns whether it is
    /// new.
    fn note(&self, url: &Url, page: Option<&Rc<Url>>) -> bool {
        let mut links = self.links.borrow_mut();
        if let Some(link) = links.get_mut(url) {
            link.add_page(page);
            return false;
        }
        let mut link = Link::new();
        link.add_page(page);
        links.insert(url.clone(), link);
        self.progress.inc_length(1);
        true
    }

    fn report(&self, concurrency: usize, elapsed: Duration, errors: Vec<Problem>, gauge: &Gauge) -> Report {
        let pages = self.pages.borrow();
        let mut report = Report {
            pages: pages.len(),
            bytes: self.bytes.get(),
            broken: Vec::new(),
            errors,
            seconds: elapsed.as_secs_f64(),
            pages_per_second: pages.len() as f64 / elapsed.as_secs_f64(),
            concurrency,
            peak_greenlets: gauge.peak_greenlets(),
            os_threads: gauge.peak_os_threads(),
            page_urls: pages.iter().map(|page| page.to_string()).collect(),
        };
        for (url, link) in self.links.borrow().iter() {
            link.add_to(url, &mut report);
        }
        report.sort();
        report
    }
}

impl Link {
    fn new() -> Self {
        Self { verdict: Verdict::Unknown, pages: Vec::new() }
    }

    fn add_page(&mut self, page: Option<&Rc<Url>>) {
        if !matches!(self.verdict, Verdict::Fine) {
            self.pages.extend(page.cloned());
        }
    }

    fn add_to(&self, url: &Url, report: &mut Report) {
        let (list, reason) = match &self.verdict {
            Verdict::Unknown | Verdict::Fine => return,
            // No page is to blame for a bad URL on the command line.
            Verdict::Broken(reason) if self.pages.is_empty() => (&mut report.errors, reason),
            Verdict::Broken(reason) => (&mut report.broken, reason),
            Verdict::Failed(reason) => (&mut report.errors, reason),
        };
        list.push(Problem {
            url: url.to_string(),
            pages: self.pages.iter().map(|page| page.to_string()).collect(),
            reason: reason.clone(),
        });
    }
}

fn judge(url: &Url, document: &Document) -> Verdict {
    let status = document.status;
    if !status.is_client_error() && !status.is_server_error() {
        Verdict::Fine
    } else if document.url == *url {
        Verdict::Broken(status.to_string())
    } else {
        Verdict::Broken(format!("redirects to {}: {status}", document.url))
    }
}

/// Shows how far the crawl is, if there is a terminal to show it on.
fn progress_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{pos} of {len} links checked, {elapsed}");
    let line = ProgressBar::new(0);
    line.set_style(style.expect("the template is well-formed"));
    line
}
