//! Memory that must not grow, and memory that is refused.
//!
//! The rows of `test_leaks.py` and `test_greenlet.py` about that; see `tests/original/main.rs`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::{Generator, Greenlet, State, Step, SwitchError, Yielder};

use crate::heap::{allocated, meanwhile};
use crate::{is_emulated, isolated, passes, stderr};

/// How often a test has done it all when it says that memory stays flat.
pub(crate) const CYCLES: u32 = match () {
    () if cfg!(greenlet_sanitizer) => 10_000,
    () if cfg!(debug_assertions) => 100_000,
    () => 1_000_000,
};

/// What a process may grow by: less than it would by losing a page every hundred cycles.
const SLACK_KIB: u64 = 4096;

/// The memory that the process has from the system, in KiB; 0 where that cannot be had, or is an
/// emulator's or a sanitizer's as well.
fn resident() -> u64 {
    if is_emulated() || cfg!(greenlet_sanitizer) {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// Does so many things in several rounds, the first of which may use more memory than there was. The
/// others must not: the heap has not one byte more when they are over.
pub(crate) fn assert_flat(things: u32, round: impl Fn(u32)) {
    let things = if is_emulated() { things / 50 } else { things };
    let in_a_round = things / 10;
    round(in_a_round);
    let (heap, memory) = (allocated(), resident());
    (0..9).for_each(|_| round(in_a_round));
    let more = resident().saturating_sub(memory);
    assert_eq!(allocated(), heap, "bytes on the heap");
    assert!(more <= SLACK_KIB, "{more} KiB more");
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
        assert_flat(CYCLES, |count| {
            for n in 0..count.into() {
                assert_eq!(Greenlet::<u64>::new(|n| n + 1).switch(n), n + 1);
                drop(Greenlet::<u64>::builder().name("never started").build(|n| n));
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn memory_stays_flat_while_suspended_greenlets_are_killed() {
    let output = isolated("leaks::memory_stays_flat_while_suspended_greenlets_are_killed", || {
        let main = Greenlet::<()>::current();
        assert_flat(CYCLES, |count| {
            for n in 0..count {
                let (main, held) = (main.clone(), Box::new(n));
                let g = Greenlet::<()>::new(move |()| {
                    main.switch(());
                    drop(held);
                });
                g.switch(());
                g.kill().unwrap();
                assert!(g.is_dead());
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// One that yields, and then holds something.
fn resumed_once(n: u32) -> Generator<(), u32, ()> {
    let mut generator = Generator::with_stack_size(64 * 1024, move |yielder, ()| {
        let held = Box::new(n);
        yielder.yield_(n);
        drop(held);
    })
    .unwrap();
    assert_eq!(generator.next(), Some(n));
    generator
}

#[test]
fn memory_stays_flat_while_generators_come_and_go() {
    passes("leaks::memory_stays_flat_while_generators_come_and_go", || {
        assert_flat(CYCLES, |count| {
            for n in 0..count {
                assert_eq!(resumed_once(n).next(), None);
                drop(resumed_once(n));
                drop(Generator::<(), u32, ()>::new(move |yielder, ()| yielder.yield_(n)));
            }
        });
    });
}

#[test]
fn memory_stays_flat_while_threads_use_generators() {
    passes("leaks::memory_stays_flat_while_threads_use_generators", || {
        assert_flat(CYCLES / 100, |count| {
            for n in 0..count {
                let thread = std::thread::spawn(move || {
                    let (first, second) = (resumed_once(n), resumed_once(n));
                    drop((second, first));
                });
                thread.join().unwrap();
            }
        });
    });
}

/// They are in thread-locals that go after the thread's greenlets, and its other stacks.
#[test]
fn memory_stays_flat_while_threads_end_before_their_generators() {
    thread_local!(static LATE: RefCell<Vec<Generator<(), u32, ()>>> = const { RefCell::new(Vec::new()) });
    passes("leaks::memory_stays_flat_while_threads_end_before_their_generators", || {
        assert_flat(CYCLES / 100, |count| {
            for n in 0..count {
                let thread = std::thread::spawn(move || {
                    LATE.with(|_| ());
                    let late = [resumed_once(n), resumed_once(n)];
                    LATE.with_borrow_mut(|kept| kept.extend(late));
                });
                thread.join().unwrap();
            }
        });
    });
}

// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_thread
#[test]
fn memory_stays_flat_while_suspended_greenlets_are_let_go() {
    let output = isolated("leaks::memory_stays_flat_while_suspended_greenlets_are_let_go", || {
        assert_flat(CYCLES / 10, |count| suspend_many(count, drop));
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

// test_leaks.py::TestLeaks::test_threaded_leak
// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_main
// do-not-repeat.md: P2
#[test]
fn memory_stays_flat_while_threads_leave_suspended_greenlets_behind() {
    /// Suspends a greenlet that only its own stack holds.
    fn leave_one_behind() {
        let (main, own) = (Greenlet::<()>::current(), Rc::new(Cell::new(None)));
        let in_body = own.clone();
        let g = Greenlet::<()>::builder().stack_size(64 * 1024).build(move |()| {
            let _own: Rc<Cell<Option<Greenlet>>> = in_body;
            main.switch(());
        });
        g.switch(());
        own.set(Some(g));
    }
    let output = isolated("leaks::memory_stays_flat_while_threads_leave_suspended_greenlets_behind", || {
        assert_flat(CYCLES / 10, |count| {
            for _ in 0..4 {
                let thread = std::thread::spawn(move || (0..count / 4).for_each(|_| leave_one_behind()));
                thread.join().unwrap();
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn memory_stays_flat_while_threads_use_greenlets_as_their_locals_are_destroyed() {
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            assert_eq!(Greenlet::<()>::current().id(), 0);
        }
    }
    thread_local!(static LATE: Late = const { Late });
    passes("leaks::memory_stays_flat_while_threads_use_greenlets_as_their_locals_are_destroyed", || {
        assert_flat(CYCLES / 100, |count| {
            for n in 0..count {
                let thread = std::thread::spawn(move || {
                    LATE.with(|_| ());
                    // Or it is the first to use any.
                    (n % 2 == 0).then(|| Greenlet::<()>::new(|()| ()).switch(()));
                });
                thread.join().unwrap();
            }
        });
    });
}

#[test]
fn memory_stays_flat_while_threads_use_weak_handles() {
    passes("leaks::memory_stays_flat_while_threads_use_weak_handles", || {
        assert_flat(CYCLES / 100, |count| {
            for _ in 0..count {
                let thread = std::thread::spawn(|| {
                    let g = Greenlet::<()>::new(|()| ());
                    drop(g.downgrade());
                });
                thread.join().unwrap();
            }
        });
    });
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
// do-not-repeat.md: P4
#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own memory counts against the limit")]
fn a_greenlet_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again() {
    // An emulator does not pass the limit on, and other systems count otherwise.
    if is_emulated() || !cfg!(target_os = "linux") {
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

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own memory counts against the limit")]
fn a_generator_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again() {
    if is_emulated() || !cfg!(target_os = "linux") {
        return;
    }
    passes("leaks::a_generator_that_cannot_have_a_stack_stays_unstarted_and_may_be_tried_again", || {
        let mut generator = Generator::with_stack_size(1 << 30, |_: &Yielder<u32, ()>, n| n + 1).unwrap();
        let before = limit_address_space(512 << 20);
        let mut refused = generator.try_resume(1).unwrap_err();
        assert!(matches!(refused.refusal(), Some(SwitchError::Stack(_))), "{refused}");
        assert_eq!(refused.take_value(), Some(1_u32));
        limit_address_space(before);
        assert_eq!(generator.resume(1), Step::Returned(2));
    });
}

#[test]
fn an_allocator_may_make_greenlets_while_it_makes_room_for_some() {
    thread_local! {
        static MADE: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
    }
    passes("leaks::an_allocator_may_make_greenlets_while_it_makes_room_for_some", || {
        // The thread's own state is there.
        let _root = Greenlet::<()>::current();
        let make = || {
            let g = Greenlet::new(|()| ());
            g.switch(());
            MADE.with_borrow_mut(|made| made.push(g));
        };
        let greenlets: Vec<_> = (0..10_000)
            .map(|_| {
                meanwhile(make);
                Greenlet::<()>::new(|()| ())
            })
            .collect();
        assert!(MADE.take().len() > 1, "that was asked for more than once");
        greenlets.iter().for_each(|g| g.switch(()));
    });
}
