//! Panics that nobody catches, and exceptions that are not Rust's.

use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;

use greenlet::Greenlet;

use crate::{isolated, stderr};

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
