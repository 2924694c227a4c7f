//! Processes that end with greenlets in every state, and what still works in their last moments.
//!
//! The rows of `test_interpreter_shutdown.py`; see `tests/original/main.rs`.

use std::cell::RefCell;
use std::process::Output;

use greenlet::{Greenlet, State, SwitchError, trace};

use crate::{isolated, stderr};

thread_local! {
    static KEPT: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
}

/// Says so on standard output when it is dropped.
struct Said(&'static str);

impl Drop for Said {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// A suspended greenlet with something to drop.
fn suspended(says: &'static str) -> Greenlet {
    let maker = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        let _said = Said(says);
        maker.switch(());
    });
    g.switch(());
    g
}

/// Has `f` called by the C library when the process exits. It says what it found.
fn at_exit(f: extern "C" fn()) {
    // SAFETY: a function without state.
    unsafe { libc::atexit(f) };
}

/// The process ended well, and said this.
fn assert_said(output: &Output, lines: &[&str]) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let said = String::from_utf8_lossy(&output.stdout);
    for line in lines {
        assert_eq!(said.matches(line).count(), 1, "{line} in: {said}\n{}", stderr(output));
    }
}

// TestInterpreterShutdown::test_active_greenlet_at_shutdown_no_crash
// TestInterpreterShutdown::test_multiple_active_greenlets_at_shutdown
// TestInterpreterShutdown::test_many_greenlets_with_cleanup_at_shutdown
#[test]
fn greenlets_that_a_thread_keeps_are_unwound_when_the_process_exits() {
    let output =
        isolated("shutdown::greenlets_that_a_thread_keeps_are_unwound_when_the_process_exits", || {
            for says in ["first one's end", "second one's end", "third one's end"] {
                KEPT.with_borrow_mut(|kept| kept.push(suspended(says)));
            }
            for _ in 0..500 {
                KEPT.with_borrow_mut(|kept| kept.push(suspended("")));
            }
        });
    assert_said(&output, &["first one's end", "second one's end", "third one's end"]);
}

/// Suspends so many greenlets, each made and started by the one before it.
fn nest(depth: u32, main: Greenlet) {
    let g = Greenlet::new(move |()| {
        let _said = Said(if depth == 0 { "innermost's end" } else { "" });
        if depth > 0 {
            nest(depth - 1, main.clone());
        }
        main.switch(());
    });
    KEPT.with_borrow_mut(|kept| kept.push(g.clone()));
    g.switch(());
}

// TestInterpreterShutdown::test_nested_greenlets_at_shutdown
// TestInterpreterShutdown::test_deeply_nested_greenlets_at_shutdown
#[test]
fn greenlets_that_have_started_one_another_are_unwound_when_the_process_exits() {
    let output = isolated(
        "shutdown::greenlets_that_have_started_one_another_are_unwound_when_the_process_exits",
        || {
            nest(100, Greenlet::current());
        },
    );
    assert_said(&output, &["innermost's end"]);
}

// TestInterpreterShutdown::test_threaded_greenlets_at_shutdown
#[test]
fn a_process_exits_while_other_threads_have_suspended_greenlets() {
    let output = isolated("shutdown::a_process_exits_while_other_threads_have_suspended_greenlets", || {
        let (tell, told) = std::sync::mpsc::channel();
        for _ in 0..4 {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let _g = suspended("a thread that never ended");
                tell.send(()).unwrap();
                loop {
                    std::thread::park();
                }
            });
        }
        assert_eq!(told.iter().take(4).count(), 4);
    });
    assert_said(&output, &[]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("never ended"));
}

// TestInterpreterShutdown::test_greenlet_with_traceback_at_shutdown
#[test]
fn a_process_exits_while_a_suspended_greenlet_handles_a_panic() {
    let output = isolated("shutdown::a_process_exits_while_a_suspended_greenlet_handles_a_panic", || {
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| {
            let caught = std::panic::catch_unwind(|| panic!("handled"));
            let _said = Said("handler's end");
            main.switch(());
            drop(caught);
        });
        g.switch(());
        KEPT.with_borrow_mut(|kept| kept.push(g));
    });
    assert_said(&output, &["handler's end"]);
}

/// What can be done without a switch.
extern "C" fn look_around() {
    let me = Greenlet::<()>::current();
    let hook = (trace::get().is_none(), trace::set(|_| ()).is_none(), trace::clear().is_some());
    println!("root: {}, running: {}, hook: {hook:?}", me.is_root(), me.state() == State::Running);
}

const FOUND: &str = "root: true, running: true, hook: (true, true, true)";

// TestInterpreterShutdown::test_getcurrent_during_atexit_no_crash
// TestInterpreterShutdown::test_gettrace_during_atexit_no_crash
// TestInterpreterShutdown::test_settrace_during_atexit_no_crash
// TestInterpreterShutdown::test_getcurrent_returns_none_during_atexit_phase
#[test]
fn an_exit_handler_finds_a_current_greenlet_and_may_set_a_hook() {
    let output = isolated("shutdown::an_exit_handler_finds_a_current_greenlet_and_may_set_a_hook", || {
        at_exit(look_around);
    });
    assert_said(&output, &[FOUND]);
}

// TestInterpreterShutdown::test_getcurrent_with_active_greenlets_during_atexit
// TestInterpreterShutdown::test_getcurrent_returns_none_during_atexit_phase_with_active_greenlets
#[test]
fn an_exit_handler_runs_when_the_greenlets_of_the_thread_are_gone() {
    let output = isolated("shutdown::an_exit_handler_runs_when_the_greenlets_of_the_thread_are_gone", || {
        at_exit(look_around);
        KEPT.with_borrow_mut(|kept| kept.push(suspended("its end")));
    });
    assert_said(&output, &["its end", FOUND]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.find("its end") < said.find(FOUND), "{said}");
}

// TestInterpreterShutdown::test_greenlet_construction_during_atexit_no_crash
// TestInterpreterShutdown::test_greenlet_construction_with_active_greenlets_during_atexit
// TestInterpreterShutdown::test_greenlet_construction_with_cross_thread_deleteme_during_atexit
#[test]
fn an_exit_handler_may_make_greenlets_but_not_switch_to_them() {
    let output = isolated("shutdown::an_exit_handler_may_make_greenlets_but_not_switch_to_them", || {
        extern "C" fn make_some() {
            let _captured = Said("handler's end");
            let in_body = Said("body's end");
            let g = Greenlet::<()>::new(move |()| drop(in_body));
            let refused = g.try_switch(()).err();
            let refusal = refused.as_ref().and_then(|raised| raised.refusal());
            println!("refused: {}", matches!(refusal, Some(SwitchError::ThreadEnding)));
        }
        at_exit(make_some);
        KEPT.with_borrow_mut(|kept| kept.push(suspended("its end")));
    });
    assert_said(&output, &["its end", "refused: true", "body's end", "handler's end"]);
}

// TestInterpreterShutdown::test_getcurrent_returns_none_during_gc_finalization_cross_thread
#[test]
fn an_exit_handler_that_runs_on_another_thread_finds_that_threads_greenlets() {
    let output = isolated(
        "shutdown::an_exit_handler_that_runs_on_another_thread_finds_that_threads_greenlets",
        || {
            at_exit(look_around);
            let _g = suspended("of a thread that does not exit");
            std::thread::spawn(|| std::process::exit(0)).join().unwrap();
        },
    );
    assert_said(&output, &[FOUND]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("does not exit"));
}

/// Kills a greenlet when it is dropped.
struct Kill(RefCell<Option<Greenlet>>);

impl Drop for Kill {
    fn drop(&mut self) {
        self.0.take().unwrap().kill().unwrap();
    }
}

#[test]
fn a_hook_of_the_process_is_told_of_a_kill_after_the_end_of_all_greenlets_of_a_thread() {
    thread_local! {
        static LAST: Kill = const { Kill(RefCell::new(None)) };
    }
    let output = isolated(
        "shutdown::a_hook_of_the_process_is_told_of_a_kill_after_the_end_of_all_greenlets_of_a_thread",
        || {
            trace::set_global(|event| {
                if event.target().name().is_some_and(|name| name == "killed last") {
                    println!("told of a {:?}", event.kind());
                }
            });
            std::thread::spawn(|| {
                // Before there are greenlets on the thread, so that it is dropped after they have ended.
                LAST.with(|_| ());
                let last = Greenlet::builder().name("killed last").build(|()| ());
                LAST.with(|kill| kill.0.replace(Some(last)));
                Greenlet::<()>::new(|()| ()).switch(());
            })
            .join()
            .unwrap();
        },
    );
    assert_said(&output, &["told of a Throw"]);
}
