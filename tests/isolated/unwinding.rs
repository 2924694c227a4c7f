//! Panics that nobody catches, and exceptions that are not Rust's.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;
use std::rc::Rc;

use greenlet::{Greenlet, set_report_hook, trace};

use crate::{isolated, passes, stderr};

/// What a handler around the start of a greenlet says: no test here wants to see it.
const WRONG_HANDLER: &str = "the starter's handler ran";

/// Starts a greenlet with a handler around the start, and with another greenlet as its parent.
fn start_under_a_handler(body: impl FnOnce() + 'static) {
    let caught = catch_unwind(AssertUnwindSafe(|| Greenlet::<()>::new(|()| body()).switch(())));
    if caught.is_err() {
        eprintln!("{WRONG_HANDLER}");
    }
}

/// The process was aborted, natively or under an emulator, and no Rust frame above took it.
fn assert_aborted(output: &Output) {
    let said = stderr(output);
    let signal = output.status.signal().or(output.status.code().map(|code| code - 128));
    assert_eq!(signal, Some(libc::SIGABRT), "{said}");
    assert!(!said.contains(WRONG_HANDLER), "{said}");
}

/// An exception of another language, as the unwinder sees it.
#[repr(C, align(16))]
struct Foreign {
    class: u64,
    cleanup: Option<extern "C" fn(i32, *mut Foreign)>,
    private: [usize; 2],
}

unsafe extern "C-unwind" {
    fn _Unwind_RaiseException(exception: *mut Foreign) -> i32;
}

/// Raises an exception of a language that no one here knows.
fn raise_foreign() {
    let exception = Foreign { class: u64::from_ne_bytes(*b"ELSEWHER"), cleanup: None, private: [0; 2] };
    // SAFETY: the exception stays where it is until the process ends.
    unsafe { _Unwind_RaiseException(Box::leak(Box::new(exception))) };
}

// test_cpp.py::CPPTests::test_unhandled_nonstd_exception_aborts
#[test]
fn a_foreign_exception_that_leaves_a_greenlet_ends_the_process() {
    let output = isolated("unwinding::a_foreign_exception_that_leaves_a_greenlet_ends_the_process", || {
        start_under_a_handler(raise_foreign);
    });
    assert_aborted(&output);
}

// test_cpp.py::CPPTests::test_unhandled_std_exception_aborts
#[test]
fn a_foreign_exception_that_leaves_a_greenlet_after_a_switch_ends_the_process() {
    let output = isolated(
        "unwinding::a_foreign_exception_that_leaves_a_greenlet_after_a_switch_ends_the_process",
        || {
            let main = Greenlet::<()>::current();
            let g = Greenlet::<()>::new(move |()| {
                main.switch(());
                raise_foreign();
            });
            start_under_a_handler({
                let g = g.clone();
                move || g.switch(())
            });
            g.switch(());
        },
    );
    assert_aborted(&output);
}

// test_cpp.py::CPPTests::test_unhandled_std_exception_as_greenlet_function_aborts
#[test]
fn a_panic_that_reaches_a_c_function_in_a_greenlet_ends_the_process() {
    let output =
        isolated("unwinding::a_panic_that_reaches_a_c_function_in_a_greenlet_ends_the_process", || {
            extern "C" fn called_from_c() {
                panic!("in a callback");
            }
            start_under_a_handler(|| called_from_c());
        });
    assert_aborted(&output);
    assert!(stderr(&output).contains("in a callback"), "{}", stderr(&output));
}

// test_cpp.py::CPPTests::test_unhandled_exception_in_greenlet_aborts
#[test]
fn a_panic_that_no_ancestor_catches_ends_the_thread_as_its_own_would() {
    let output =
        isolated("unwinding::a_panic_that_no_ancestor_catches_ends_the_thread_as_its_own_would", || {
            let thread = std::thread::spawn(|| {
                let middle = Greenlet::<()>::new(|()| {
                    Greenlet::<()>::new(|()| panic!("nobody's")).switch(());
                });
                middle.switch(());
            });
            let payload = thread.join().unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"nobody's"));
            std::process::exit(5);
        });
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert_eq!(said.matches("nobody's").count(), 1, "it is reported once, where it began: {said}");
}

/// Panics as it is dropped, unless a panic is under way.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

#[test]
fn a_report_hook_may_panic_with_what_panics_as_it_is_dropped() {
    passes("unwinding::a_report_hook_may_panic_with_what_panics_as_it_is_dropped", || {
        set_report_hook(|_| std::panic::panic_any(Panics));
        let root = Greenlet::<()>::current();
        let only: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let taken = only.clone();
        let starter = Greenlet::<()>::new(move |()| {
            let g = taken.take().unwrap();
            g.switch(());
        });
        let first = starter.clone();
        only.replace(Some(Greenlet::<()>::new(move |()| {
            let _ = first.kill();
            drop(first);
            let refused = root.try_switch(()).is_err();
            assert!(!refused, "of one that ends with no handle");
        })));
        starter.switch(());
    });
}

#[test]
fn a_body_that_never_ran_and_the_reason_for_that_may_both_panic_as_they_are_dropped() {
    passes(
        "unwinding::a_body_that_never_ran_and_the_reason_for_that_may_both_panic_as_they_are_dropped",
        || {
            // It gets a stack to receive the error on.
            trace::set(|_| ());
            let body = Panics;
            let g = Greenlet::<()>::new(move |()| drop(body));
            assert_eq!(g.try_throw(Panics).unwrap_err().message(), Some("dropped"));
        },
    );
}

#[test]
fn a_hook_may_panic_as_another_one_panics_as_it_is_dropped() {
    passes("unwinding::a_hook_may_panic_as_another_one_panics_as_it_is_dropped", || {
        let owned = Panics;
        trace::set_global(move |_| _ = &owned);
        trace::set(|_| {
            trace::clear_global();
            panic!("own");
        });
        let raised = Greenlet::<()>::new(|()| ()).try_switch(()).unwrap_err();
        assert_eq!(raised.message(), Some("own"));
    });
}

#[test]
fn a_global_hook_begins_at_once_on_its_own_thread_and_stays_though_it_panics() {
    passes("unwinding::a_global_hook_begins_at_once_on_its_own_thread_and_stays_though_it_panics", || {
        let main = Greenlet::<u32>::current();
        let g = Greenlet::<u32>::new(move |mut n| {
            for _ in 0..3 {
                n = main.try_switch(n).unwrap_or(100);
            }
            n
        });
        g.switch(0);
        trace::set_global(|event| {
            if !event.target().is_root() {
                std::panic::resume_unwind(Box::new("in place of what was sent"));
            }
        });
        assert_eq!((g.switch(1), g.switch(2)), (100, 100));
        trace::clear_global();
        assert_eq!(g.switch(3), 3);
    });
}

#[test]
fn a_report_hook_that_is_replaced_may_report_something_as_it_is_dropped() {
    /// Drops an unstarted greenlet, of which that is reported.
    struct Reports;
    impl Drop for Reports {
        fn drop(&mut self) {
            let body = Panics;
            drop(Greenlet::<()>::new(move |()| drop(body)));
        }
    }
    passes("unwinding::a_report_hook_that_is_replaced_may_report_something_as_it_is_dropped", || {
        let reports = Reports;
        set_report_hook(move |_| _ = &reports);
        set_report_hook(|_| ());
    });
}

#[test]
fn a_context_of_many_keys_is_dropped_on_a_small_stack() {
    use greenlet::context::Key;
    static KEYS: [Key<u32>; 5000] = [const { Key::new() }; 5000];

    passes("unwinding::a_context_of_many_keys_is_dropped_on_a_small_stack", || {
        let setter = Greenlet::<()>::builder().stack_size(64 * 1024).build(|()| {
            KEYS.iter().zip(0..).for_each(|(key, n)| key.set(n));
            Greenlet::<()>::current().set_context(Default::default());
        });
        setter.switch(());
    });
}

#[test]
fn a_chain_of_suspended_parents_may_be_longer_than_a_stack_is_deep() {
    fn chain() {
        let root = Greenlet::<()>::current();
        let mut last: Option<Greenlet> = None;
        for _ in 0..3000 {
            let root = root.clone();
            let builder = Greenlet::<()>::builder().stack_size(16 * 1024);
            let builder = if let Some(last) = &last { builder.parent(last) } else { builder };
            let g = builder.build(move |()| root.switch(()));
            g.switch(());
            // Only its child keeps its parent.
            last = Some(g);
        }
        drop(last);
    }
    passes("unwinding::a_chain_of_suspended_parents_may_be_longer_than_a_stack_is_deep", || {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn(chain).unwrap().join().unwrap();
    });
}
