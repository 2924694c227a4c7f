//! Tasks: running, waiting for them, killing them, links.
//!
//! Numbers such as `gevent 22`, `eventlet 31` or `E8` are those of the lists of the originals'
//! behaviours, and of their bugs, which this crate is held against.

mod callbacks;
mod hooks;
mod idents;
mod joining;
mod killing;
mod links;
mod lonely;
mod running;
mod storm;
mod threads;
mod waiting;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use greenlet::{ReportKind, set_report_hook};

const MS: Duration = Duration::from_millis(1);
const FOREVER: Duration = Duration::from_secs(1000);

/// A list, and a function that adds to it.
fn log() -> (Rc<RefCell<Vec<String>>>, impl Fn(&str) + Clone + 'static) {
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let writer = log.clone();
    (log, move |text: &str| writer.borrow_mut().push(text.into()))
}

/// Notes something when it is dropped.
struct Note<F: Fn(&str)>(F, &'static str);

impl<F: Fn(&str)> Drop for Note<F> {
    fn drop(&mut self) {
        (self.0)(self.1);
    }
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs `f` on a thread of its own, to its end, thread-locals included.
fn on_a_thread(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(f).join().unwrap();
}

/// The reports of this thread since the last call, of which none goes to standard error.
fn reports() -> Vec<(ReportKind, String)> {
    thread_local! {
        static REPORTS: RefCell<Vec<(ReportKind, String)>> = const { RefCell::new(Vec::new()) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_report_hook(|report| {
            let _ = REPORTS.try_with(|all| all.borrow_mut().push((report.kind(), report.to_string())));
        })
    });
    REPORTS.take()
}
