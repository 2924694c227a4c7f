//! Bugs that AddressSanitizer has to find in greenlets, and things it must not take for bugs.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

use greenlet::Greenlet;

use crate::{isolated, stderr};

/// The process was ended by a report of this, which names the function and, across the stacks, its
/// callers.
fn assert_found(output: &std::process::Output, bug: &str, function: &str) {
    let said = stderr(output);
    assert!(!output.status.success(), "it went on: {said}");
    let report = said.split_once(bug).unwrap_or_else(|| panic!("no {bug} in: {said}")).1;
    let place = report.find(function).unwrap_or_else(|| panic!("no {function} in: {said}"));
    assert!(report[place..].contains("::isolated"), "it says who has switched to the greenlet: {said}");
}

/// The process ended well, and the sanitizer had nothing to say.
fn assert_silent(output: &std::process::Output) {
    let said = stderr(output);
    assert!(output.status.success() && !said.contains("Sanitizer") && !said.contains("ASan"), "{said}");
}

/// Reads a byte at this distance.
#[inline(never)]
fn read_at(bytes: *const u8, distance: usize) -> u8 {
    // SAFETY: none: the bug is what is tested.
    unsafe { bytes.add(distance).read_volatile() }
}

fn in_a_greenlet(bug: impl FnOnce() -> u8 + 'static) {
    Greenlet::<u8>::new(|_| bug()).switch(0);
}

#[test]
fn a_read_behind_an_allocation_is_found() {
    let output = isolated("address_sanitizer::a_read_behind_an_allocation_is_found", || {
        in_a_greenlet(|| read_at(black_box(vec![0; 16]).as_ptr(), 16));
    });
    assert_found(&output, "heap-buffer-overflow", "read_at");
}

#[test]
fn a_read_behind_an_array_on_the_stack_is_found() {
    let output = isolated("address_sanitizer::a_read_behind_an_array_on_the_stack_is_found", || {
        in_a_greenlet(|| read_at(black_box([0; 16]).as_ptr(), 16));
    });
    assert_found(&output, "stack-buffer-overflow", "read_at");
}

#[test]
fn a_value_that_was_freed_while_its_user_was_suspended_is_found() {
    let output =
        isolated("address_sanitizer::a_value_that_was_freed_while_its_user_was_suspended_is_found", || {
            let main = Greenlet::<u8>::current();
            let value = Box::new(5_u8);
            let address = std::ptr::from_ref(&*value).addr();
            let g = Greenlet::new(move |_| {
                main.switch(0);
                read_at(std::ptr::with_exposed_provenance(address), 0)
            });
            g.switch(0);
            drop(value);
            g.switch(0);
        });
    assert_found(&output, "heap-use-after-free", "read_at");
}

/// The address of something that is not there any more. (Optimised, it would never have been.)
#[inline(never)]
fn dangling() -> usize {
    let local = black_box([0_u8; 16]);
    black_box(&local).as_ptr().expose_provenance()
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "what is not used is not there")]
fn a_local_that_is_used_by_another_greenlet_when_its_function_has_returned_is_found() {
    let case = "address_sanitizer::\
                a_local_that_is_used_by_another_greenlet_when_its_function_has_returned_is_found";
    let output = isolated(case, || {
        let main = Greenlet::<usize>::current();
        let g = Greenlet::<usize>::new(move |_| main.switch(dangling()));
        let address = g.switch(0);
        in_a_greenlet(move || read_at(std::ptr::with_exposed_provenance(address), 0));
    });
    assert_found(&output, "stack-use-after-return", "read_at");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "what is not used is not there")]
fn a_local_of_a_greenlet_that_has_ended_is_found_even_when_another_one_has_its_stack() {
    let case = "address_sanitizer::\
                a_local_of_a_greenlet_that_has_ended_is_found_even_when_another_one_has_its_stack";
    let output = isolated(case, || {
        let address = Greenlet::<usize>::new(|_| dangling()).switch(0);
        in_a_greenlet(move || read_at(std::ptr::with_exposed_provenance(address), 0));
    });
    assert_found(&output, "stack-use-after-return", "read_at");
}

#[test]
fn what_a_greenlet_has_lost_is_found_when_the_process_ends() {
    let output =
        isolated("address_sanitizer::what_a_greenlet_has_lost_is_found_when_the_process_ends", || {
            in_a_greenlet(|| Box::leak(black_box(vec![3; 1234]).into_boxed_slice())[7]);
        });
    assert!(stderr(&output).contains("1234 byte(s) leaked in 1 allocation(s)"), "{}", stderr(&output));
}

/// A greenlet that waits for a switch with something on its stack.
fn holder() -> Greenlet {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        let held = black_box(vec![0_u8; 1000]);
        main.switch(());
        drop(held);
    });
    g.switch(());
    g
}

#[test]
fn what_suspended_greenlets_hold_is_not_lost_when_another_one_ends_the_process() {
    let case =
        "address_sanitizer::what_suspended_greenlets_hold_is_not_lost_when_another_one_ends_the_process";
    let output = isolated(case, || {
        let _held = (black_box(vec![0_u8; 1000]), holder(), holder());
        Greenlet::<()>::new(|()| std::process::exit(0)).switch(());
    });
    assert_silent(&output);
}

#[test]
fn a_panic_in_a_greenlet_is_nothing_to_warn_of() {
    let output = isolated("address_sanitizer::a_panic_in_a_greenlet_is_nothing_to_warn_of", || {
        // So large a stack is far from the thread's own.
        let g = Greenlet::<()>::builder().stack_size(256 << 20).build(|()| {
            let locals = black_box([1_u8; 100]);
            let caught = catch_unwind(AssertUnwindSafe(|| assert_eq!(locals[3], 2)));
            assert!(caught.is_ok());
        });
        assert!(g.try_switch(()).is_err());
    });
    assert_silent(&output);
}

/// Too large for a fake stack: such locals are on the stack itself.
type Large = [u8; 100_000];

/// Fills some of the stack, in several frames, with what is not at the same place each time.
#[inline(never)]
fn fill<const SIZE: usize>(depth: u32) -> usize {
    let locals = black_box([depth as u8; SIZE]);
    let deeper = if depth == 0 { 0 } else { fill::<SIZE>(depth - 1) };
    deeper + black_box(&locals).iter().map(|&byte| usize::from(byte)).sum::<usize>()
}

/// Ends a greenlet in one of three ways, with a large value on its stack.
fn end_one(way: u32) {
    let other = Greenlet::<Large>::current();
    let g = Greenlet::<Large>::builder().stack_size(ROOM).build(move |value| other.switch(value));
    g.switch([1; _]);
    match way {
        0 => assert_eq!(g.switch([2; _])[77], 2),
        1 => g.kill().unwrap(),
        _ => assert!(g.try_throw(way).is_err()),
    }
}

/// Room for many large values.
const ROOM: usize = 64 << 20;

#[test]
fn a_stack_that_is_used_again_is_as_new() {
    let output = isolated("address_sanitizer::a_stack_that_is_used_again_is_as_new", || {
        for way in [0, 1, 2, 0, 1, 2] {
            Greenlet::<()>::builder().stack_size(ROOM).build(move |()| end_one(way)).switch(());
            let g = Greenlet::<usize>::builder().stack_size(ROOM);
            let g = g.build(|_| fill::<70_000>(10) + fill::<80_808>(10) + fill::<333>(1000));
            assert!(g.switch(0) > 0);
        }
    });
    assert_silent(&output);
}
