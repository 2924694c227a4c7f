//! What a crawl found, for people and as JSON.

use std::fmt;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

#[derive(Serialize)]
pub struct Report {
    pub pages: usize,
    pub bytes: u64,
    /// Links on pages that are answered with an error status.
    pub broken: Vec<Problem>,
    /// URLs that could not be fetched.
    pub errors: Vec<Problem>,
    pub seconds: f64,
    pub pages_per_second: f64,
    pub concurrency: usize,
    pub peak_greenlets: usize,
    /// None where the system does not tell.
    pub os_threads: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub page_urls: Vec<String>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub url: String,
    /// The pages that link to it; none for a URL of the command line.
    pub pages: Vec<String>,
    pub reason: String,
}

impl Problem {
    /// A problem that no page is to blame for.
    pub fn alone(url: &str, reason: String) -> Self {
        Self { url: url.to_owned(), pages: Vec::new(), reason }
    }
}

impl Report {
    /// Brings all lists into an order that does not depend on the crawl's.
    pub fn sort(&mut self) {
        for problem in self.broken.iter_mut().chain(&mut self.errors) {
            problem.pages.sort_unstable();
        }
        self.broken.sort_unstable();
        self.errors.sort_unstable();
        self.page_urls.sort_unstable();
    }

    /// Tells what could not be fetched, a line each, on standard error.
    pub fn print_errors(&self) {
        for error in &self.errors {
            eprintln!("error: {error}");
        }
    }

    pub fn os_threads_text(&self) -> String {
        match self.os_threads {
            Some(count) => count.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for page in &self.page_urls {
            writeln!(f, "page: {page}")?;
        }
        for link in &self.broken {
            writeln!(f, "broken: {link}")?;
        }
        writeln!(
            f,
            "pages: {} ({}), broken links: {}, errors: {}",
            HumanCount(self.pages as u64),
            HumanBytes(self.bytes),
            HumanCount(self.broken.len() as u64),
            HumanCount(self.errors.len() as u64),
        )?;
        writeln!(
            f,
            "{:.2} s, {:.1} pages per second, peak greenlets: {}, OS threads: {}",
            self.seconds,
            self.pages_per_second,
            self.peak_greenlets,
            self.os_threads_text(),
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.reason)?;
        match self.pages.as_slice() {
            [] => Ok(()),
            [page] => write!(f, " (linked from {page})"),
            [page, more @ ..] => write!(f, " (linked from {page} and {} more)", more.len()),
        }
    }
}
