//! The user's functions that run in the midst of the library's own work: hooks, destructors, traits.
//!
//! Each does there what it had better not do. Where that harms memory, a process of its own ends.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::hub::{Waitable, Watched};
use greenlet::queue::{Queue, Select};
use greenlet::sync::Event;
use greenlet::{Task, spawn, spawn_later};

use crate::passes;

#[test]
fn a_report_hook_may_cancel_the_task_that_it_is_told_of() {
    thread_local! {
        static TOLD_OF: RefCell<Option<Task>> = const { RefCell::new(None) };
    }
    passes("reentry::a_report_hook_may_cancel_the_task_that_it_is_told_of", || {
        greenlet::set_report_hook(|_| assert!(TOLD_OF.take().unwrap().cancel()));
        let task = spawn_later(Duration::from_secs(3600), || ());
        TOLD_OF.set(Some(task.clone()));
        task.kill_with("an error").unwrap();
        assert!(task.join().unwrap_err().is_killed());
        assert_eq!([1, 2].map(|n| spawn(move || n)).map(|task| task.join().unwrap()), [1, 2]);
    });
}

/// An event that does something else when it is asked for the second time.
struct Moody<F: Fn()> {
    event: Event,
    asked: Cell<u32>,
    mood: F,
}

impl<F: Fn()> Moody<F> {
    fn new(mood: F) -> Self {
        Self { event: Event::new(), asked: Cell::new(0), mood }
    }
}

impl<F: Fn()> Waitable for Moody<F> {
    fn watched(&self) -> Watched<'_> {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() == 2 {
            (self.mood)();
        }
        self.event.watched()
    }
}

#[test]
fn a_case_that_panics_when_it_is_asked_leaves_the_queues_of_the_others() {
    passes("reentry::a_case_that_panics_when_it_is_asked_leaves_the_queues_of_the_others", || {
        let queue = Queue::<u32>::unbounded();
        let panics = Moody::new(|| panic!("not again"));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            Select::new().get(&queue, |_| ()).when(&panics, || ()).wait_timeout(Duration::from_millis(1))
        }));
        assert_eq!(queue.getting(), 0);
        queue.put(1).unwrap();
        assert_eq!(queue.get(), Ok(1));
    });
}

#[test]
fn a_case_that_wakes_another_one_when_it_is_asked_is_waited_for_all_the_same() {
    passes("reentry::a_case_that_wakes_another_one_when_it_is_asked_is_waited_for_all_the_same", || {
        let queue = Queue::<u32>::unbounded();
        let puts = Moody::new(|| queue.put(2).unwrap());
        let (first, second) = (Rc::new(Event::new()), Event::new());
        let setter = spawn({
            let first = first.clone();
            move || first.set()
        });
        let woken = Select::new()
            .get(&queue, |_| "the queue")
            .when(&puts, || "what puts")
            .when(&first, || "the first")
            .when(&second, || "the second")
            .wait_timeout(Duration::from_secs(30));
        assert_eq!(woken, Some("the first"));
        setter.join().unwrap();
    });
}
