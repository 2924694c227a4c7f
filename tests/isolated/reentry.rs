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
use greenlet::{Greenlet, Task, WeakGreenlet, spawn, spawn_later, trace, yield_now};

use crate::passes;

#[test]
fn a_task_that_a_hook_cancels_at_its_first_switch_never_runs() {
    passes("reentry::a_task_that_a_hook_cancels_at_its_first_switch_never_runs", || {
        let victim: Rc<RefCell<Option<Task>>> = Rc::default();
        let seen = victim.clone();
        trace::set(move |event| {
            let task = seen.borrow().clone().filter(|task| task.id() == event.target().id());
            task.map(|task| task.cancel());
        });
        let green = spawn(|| unreachable!("it was cancelled"));
        victim.replace(Some(green.clone()));
        assert!(green.join().unwrap_err().is_killed());
        trace::clear();
        drop(victim.take());
        assert_eq!([1, 2].map(|n| spawn(move || n)).map(|task| task.join().unwrap()), [1, 2]);
    });
}

#[test]
fn a_task_that_the_last_ones_context_cancels_as_it_goes_never_runs() {
    thread_local! {
        static VICTIM: RefCell<Option<Task>> = const { RefCell::new(None) };
    }
    struct Cancels;
    impl Drop for Cancels {
        fn drop(&mut self) {
            assert!(VICTIM.take().unwrap().cancel());
        }
    }
    static KEY: greenlet::context::Key<Rc<Cancels>> = greenlet::context::Key::new();
    passes("reentry::a_task_that_the_last_ones_context_cancels_as_it_goes_never_runs", || {
        drop(spawn(|| KEY.set(Rc::new(Cancels))));
        let green = spawn(|| unreachable!("it was cancelled"));
        VICTIM.set(Some(green.clone()));
        assert!(green.join().unwrap_err().is_killed());
        assert_eq!([1, 2].map(|n| spawn(move || n)).map(|task| task.join().unwrap()), [1, 2]);
    });
}

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Panics as it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn what_a_hook_owns_may_panic_as_it_removes_itself() {
    passes("reentry::what_a_hook_owns_may_panic_as_it_removes_itself", || {
        let panics = Panics;
        trace::set(move |_| {
            let _owned = &panics;
            trace::clear();
        });
        let raised = Greenlet::new(|()| ()).try_switch(()).unwrap_err();
        assert_eq!(raised.message(), Some("dropped"));
        Greenlet::new(|()| ()).switch(());
    });
}

#[test]
fn a_value_that_a_hook_keeps_from_its_target_may_panic_as_it_is_dropped() {
    passes("reentry::a_value_that_a_hook_keeps_from_its_target_may_panic_as_it_is_dropped", || {
        trace::set(|_| std::panic::resume_unwind(Box::new("not this one")));
        let raised = Greenlet::new(|value: Panics| value).try_switch(Panics).err().unwrap();
        assert_eq!(raised.message(), Some("not this one"));
        Greenlet::new(|()| ()).switch(());
    });
}

/// Waits as it is dropped, while others run.
struct Waits;

impl Drop for Waits {
    fn drop(&mut self) {
        drop(spawn(|| ()));
        yield_now();
        LEFT.set(LEFT.get() + 1);
    }
}

greenlet::local! {
    static LOCAL: RefCell<Option<Waits>> = RefCell::new(None);
}

/// Makes local data as it is dropped.
struct MakesALocal;

impl Drop for MakesALocal {
    fn drop(&mut self) {
        LOCAL.with(|local| local.replace(Some(Waits)));
    }
}

#[test]
fn a_task_that_a_hook_raises_in_before_it_runs_leaves_nothing_behind() {
    passes("reentry::a_task_that_a_hook_raises_in_before_it_runs_leaves_nothing_behind", || {
        let target: Rc<RefCell<Option<WeakGreenlet>>> = Rc::default();
        let seen = target.clone();
        trace::set(move |event| {
            seen.replace(Some(event.target().downgrade()));
            std::panic::resume_unwind(Box::new("seen enough"));
        });
        let body = MakesALocal;
        drop(spawn(move || drop(body)));
        while LEFT.get() == 0 {
            yield_now();
        }
        yield_now();
        assert_eq!(Task::all(), []);
        assert_eq!(target.take().unwrap().upgrade(), None);
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn local_data_that_a_tasks_value_makes_as_it_is_dropped_delays_nobody_for_good() {
    passes("reentry::local_data_that_a_tasks_value_makes_as_it_is_dropped_delays_nobody_for_good", || {
        drop(spawn(|| MakesALocal));
        let next = spawn(|| 1);
        assert_eq!(next.join().unwrap(), 1);
        while LEFT.get() == 0 {
            yield_now();
        }
    });
}

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

thread_local! {
    static VICTIM: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
    static KILLER: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
    static KILLED: Cell<bool> = const { Cell::new(false) };
}

/// Goes over to the killer as it is dropped.
struct MeetsItsKiller;

impl Drop for MeetsItsKiller {
    fn drop(&mut self) {
        KILLER.take().unwrap().switch(());
    }
}

/// A greenlet that kills the victim when it is switched to, and waits for its end.
fn killer() -> Greenlet {
    Greenlet::new(|()| KILLED.set(VICTIM.take().unwrap().kill().is_ok()))
}

#[test]
fn who_kills_a_task_by_hand_while_the_next_one_is_chosen_waits_for_its_end_and_nobody_is_lost() {
    let case =
        "reentry::who_kills_a_task_by_hand_while_the_next_one_is_chosen_waits_for_its_end_and_nobody_is_lost";
    passes(case, || {
        KILLER.set(Some(killer()));
        drop(spawn(|| VICTIM.set(Some(Greenlet::current()))));
        // It is let go when its turn comes: as the victim looks for the one to continue.
        let cancelled = spawn(|| ());
        let next = spawn(|| 1);
        cancelled.kill_with(MeetsItsKiller).unwrap();
        drop(cancelled);
        assert_eq!(next.join().unwrap(), 1);
        assert!(KILLED.get());
    });
}

#[test]
fn who_kills_a_greenlet_as_its_result_is_dropped_waits_for_its_end() {
    passes("reentry::who_kills_a_greenlet_as_its_result_is_dropped_waits_for_its_end", || {
        let parked: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let parent = spawn({
            let parked = parked.clone();
            move || {
                parked.replace(Some(Greenlet::current()));
                greenlet::sleep(Duration::from_secs(3600));
            }
        });
        yield_now();
        KILLER.set(Some(Greenlet::current()));
        let g = Greenlet::<Option<MeetsItsKiller>>::builder().parent(parked.borrow().as_ref().unwrap());
        let g = g.build(|_| Some(MeetsItsKiller));
        let starter = Greenlet::<()>::new({
            let g = g.clone();
            move |()| drop(g.switch(None))
        });
        starter.switch(());
        // The result found its parent parked, and is being dropped.
        g.kill().unwrap();
        assert!(g.is_dead());
        parent.kill().unwrap();
    });
}

#[test]
fn a_task_that_refused_to_be_unwound_is_not_continued_and_nobody_suffers_for_it() {
    let case = "reentry::a_task_that_refused_to_be_unwound_is_not_continued_and_nobody_suffers_for_it";
    passes(case, || {
        let event = Rc::new(Event::new());
        let waited = event.clone();
        drop(spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(|| waited.wait()));
            waited.wait();
            unreachable!("it was abandoned");
        }));
        yield_now();
        greenlet::unwind_all();
        event.set();
        trace::set(|_| ());
        yield_now();
        trace::clear();
        yield_now();
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
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
