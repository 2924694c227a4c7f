//! Memory that must not grow, and memory that is refused.
//!
//! The rows of `test_leaks.py` and `test_greenlet.py` about that; see `tests/original/main.rs`.

use std::cell::Cell;
use std::rc::Rc;

use greenlet::{Greenlet, State, SwitchError};

use crate::{isolated, stderr};

/// What a test may grow by: less than it would by losing the smallest thing each time.
const SLACK_KIB: u64 = 4096;

/// Memory in use, in KiB; 0 where that cannot be had, or is an emulator's as well.
fn in_use() -> u64 {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// Runs `round` a few times, and then says by how much as many more let the memory grow.
fn assert_flat(round: impl Fn()) {
    (0..3).for_each(|_| round());
    let before = in_use();
    (0..3).for_each(|_| round());
    let after = in_use();
    assert!(after <= before + SLACK_KIB, "from {before} to {after} KiB");
}

/// Suspends so many greenlets at once, and has `end` end them. All destructors must run.
fn suspend_many(count: u32, end: impl FnOnce(Vec<Greenlet>)) {
    struct Ended(Rc<Cell<u32>>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let (main, ended) = (Greenlet::<()>::current(), Rc::new(Cell::new(0)));
    let greenlets = (0..count).map(|_| {
        let (main, ended) = (main.clone(), Ended(ended.clone()));
        let g = Greenlet::builder().stack_size(64 * 1024).build(move |()| {
            let _ended = ended;
            main.switch(());
        });
        g.switch(());
        g
    });
    end(greenlets.collect());
    assert_eq!(ended.get(), count);
}

// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase
#[test]
fn memory_stays_flat_while_greenlets_come_and_go() {
    let output = isolated("leaks::memory_stays_flat_while_greenlets_come_and_go", || {
        assert_flat(|| {
            for n in 0..20_000 {
                assert_eq!(Greenlet::<u64>::new(|n| n + 1).switch(n), n + 1);
                drop(Greenlet::<u64>::builder().name("never started").build(|n| n));
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_thread
#[test]
fn memory_stays_flat_while_suspended_greenlets_are_let_go() {
    let output = isolated("leaks::memory_stays_flat_while_suspended_greenlets_are_let_go", || {
        assert_flat(|| suspend_many(2000, drop));
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

// test_leaks.py::TestLeaks::test_threaded_leak
// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_main
#[test]
fn memory_stays_flat_while_threads_leave_suspended_greenlets_behind() {
    let output = isolated("leaks::memory_stays_flat_while_threads_leave_suspended_greenlets_behind", || {
        assert_flat(|| {
            for _ in 0..4 {
                std::thread::spawn(|| {
                    for _ in 0..500 {
                        let (main, own) = (Greenlet::<()>::current(), Rc::new(Cell::new(None)));
                        let in_body = own.clone();
                        let g = Greenlet::<()>::builder().stack_size(64 * 1024).build(move |()| {
                            let _own: Rc<Cell<Option<Greenlet>>> = in_body;
                            main.switch(());
                        });
                        g.switch(());
                        // From here on only its own stack holds it.
                        own.set(Some(g));
                    }
                })
                .join()
                .unwrap();
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// How much address space the process may have. Returns what was allowed before.
pub(crate) fn limit_address_space(limit: libc::rlim_t) -> libc::rlim_t {
    // SAFETY: the structure is filled in before it is used.
    unsafe {
        let mut limits = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &mut limits), 0);
        let before = std::mem::replace(&mut limits.rlim_cur, limit);
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &limits), 0);
        before
    }
}

// test_greenlet.py::TestBrokenGreenlets::test_failed_to_initialstub
// greenlet.md section 5, runners-up
#[test]
fn a_greenlet_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again() {
    // An emulator does not pass the limit on, and other systems count otherwise.
    if std::env::var_os("CROSS_RUNNER").is_some() || !cfg!(target_os = "linux") {
        return;
    }
    let case = "leaks::a_greenlet_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again";
    let output = isolated(case, || {
        let child = Greenlet::<u32>::builder().stack_size(1 << 30).build(|n| n + 1);
        let grandchild = Greenlet::<u32>::builder().parent(&child).build(|n| n * 2);
        let before = limit_address_space(512 << 20);
        let mut refused = child.try_switch(1).unwrap_err();
        assert!(matches!(refused.refusal(), Some(SwitchError::Stack(_))), "{refused}");
        assert_eq!(refused.take_value(), Some(1_u32));
        assert_eq!(child.state(), State::Unstarted);
        // A result for it goes to the next ancestor, with the reason.
        let mut refused = grandchild.try_switch(4).unwrap_err();
        assert!(matches!(refused.refusal(), Some(SwitchError::Stack(_))), "{refused}");
        assert_eq!(refused.take_value(), Some(8_u32));
        assert_eq!((grandchild.state(), child.state()), (State::Dead, State::Unstarted));
        limit_address_space(before);
        assert_eq!(child.switch(1), 2);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
