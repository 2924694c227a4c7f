//! A program that is linked with the crate and has not asked for anything.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use greenlet::{join_all, spawn};
use greenlet_monkey::{Counts, Part, Patch, counts, is_patched, patched_symbols};

/// How many of two greenlets sleep at a time.
fn sleep_two() -> usize {
    let (asleep, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let tasks = [(); 2].map(|()| {
        let (asleep, most) = (asleep.clone(), most.clone());
        spawn(move || {
            asleep.set(asleep.get() + 1);
            most.set(most.get().max(asleep.get()));
            thread::sleep(Duration::from_millis(2));
            asleep.set(asleep.get() - 1);
        })
    });
    join_all(&tasks, None);
    most.get()
}

#[test]
fn nothing_changes_before_it_is_asked_for_and_only_what_is_asked_for() {
    super::isolated("inert::nothing_changes_before_it_is_asked_for_and_only_what_is_asked_for", || {
        assert_eq!(sleep_two(), 1, "a sleep blocks the thread");
        assert_eq!(patched_symbols().count(), 0);
        assert!(Part::ALL.iter().all(|part| counts(*part) == Counts::default()));
        Patch::new().socket(true).apply().unwrap();
        assert!(is_patched(Part::Socket) && !is_patched(Part::Time));
        assert_eq!(sleep_two(), 1, "still");
        Patch::all().socket(false).apply().unwrap();
        assert!(is_patched(Part::Socket), "there is no way back");
        assert_eq!(sleep_two(), 2);
    });
}

#[test]
fn a_thread_without_a_hub_blocks_as_ever() {
    super::isolated("inert::a_thread_without_a_hub_blocks_as_ever", || {
        greenlet_monkey::patch_all().unwrap();
        thread::spawn(|| thread::sleep(Duration::from_millis(1))).join().unwrap();
        let time = counts(Part::Time);
        assert_eq!((time.calls, time.parked), (0, 0));
        assert!(time.passed >= 1);
    });
}

static BEFORE_MAIN: AtomicI32 = AtomicI32::new(-1);

/// Runs before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = {
    extern "C" fn early() {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1 };
        BEFORE_MAIN.store(unsafe { libc::nanosleep(&time, std::ptr::null_mut()) }, Ordering::Relaxed);
    }
    early
};

#[test]
fn code_before_main_is_passed_on() {
    assert_eq!(BEFORE_MAIN.load(Ordering::Relaxed), 0);
}
