//! Races that ThreadSanitizer has to find, told from which greenlet, and switches that are none.

use std::cell::UnsafeCell;
use std::sync::{Arc, Barrier};

use greenlet::Greenlet;

use crate::{isolated, stderr};

/// A number that threads change without asking each other.
#[derive(Default)]
struct Unguarded(UnsafeCell<u64>);

// SAFETY: none: the bug is what is tested.
unsafe impl Sync for Unguarded {}

/// A race, if anybody else does the same.
#[inline(never)]
fn change(number: &Unguarded) {
    // SAFETY: as above.
    unsafe { *number.0.get() += 1 };
}

#[inline(never)]
fn changes_it_after_a_pause(number: &Unguarded, pause: impl FnOnce()) {
    pause();
    change(number);
}

/// Has a greenlet change the number, when it and others have been switched to and fro and have ended, and
/// so many threads are ready to do so. (The sanitizer forgets what was long ago.)
fn change_in_a_greenlet(number: Arc<Unguarded>, ready: &Barrier) {
    let root = Greenlet::<()>::current();
    let g = Greenlet::<()>::new(move |()| changes_it_after_a_pause(&number, || root.switch(())));
    g.switch(());
    for _ in 0..100 {
        Greenlet::<u8>::new(|n| n).switch(1);
        let killed = holder();
        killed.kill().unwrap();
    }
    ready.wait();
    g.switch(());
}

/// A greenlet that waits for a switch.
fn holder() -> Greenlet {
    let root = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| root.switch(()));
    g.switch(());
    g
}

#[test]
fn a_race_of_greenlets_of_two_threads_is_found_with_the_way_there() {
    let case = "thread_sanitizer::a_race_of_greenlets_of_two_threads_is_found_with_the_way_there";
    let output = isolated(case, || {
        let number = Arc::new(Unguarded::default());
        let ready = Arc::new(Barrier::new(2));
        let thread = std::thread::spawn({
            let (number, ready) = (number.clone(), ready.clone());
            move || change_in_a_greenlet(number, &ready)
        });
        change_in_a_greenlet(number, &ready);
        thread.join().unwrap();
    });
    let said = stderr(&output);
    let report = said.split_once("data race").unwrap_or_else(|| panic!("no race in: {said}")).1;
    let stack = report.split("\n\n").next().unwrap();
    let [inner, outer] = ["change", "changes_it_after_a_pause"].map(|name| {
        stack.find(&format!("thread_sanitizer::{name}")).unwrap_or_else(|| panic!("no {name}: {said}"))
    });
    assert!(inner < outer, "{said}");
    assert!(!stack.contains("holder"), "it ended before: {said}");
    assert!(!output.status.success());
}

#[test]
fn what_greenlets_of_one_thread_share_is_no_race() {
    let case = "thread_sanitizer::what_greenlets_of_one_thread_share_is_no_race";
    let output = isolated(case, || {
        let number = Arc::new(Unguarded::default());
        for _ in 0..3 {
            change_in_a_greenlet(number.clone(), &Barrier::new(1));
            change(&number);
        }
    });
    assert!(output.status.success(), "{}", stderr(&output));
}
