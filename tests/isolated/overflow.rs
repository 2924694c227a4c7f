//! Stacks that overflow.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use greenlet::Greenlet;

use crate::{isolated, stderr};

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + std::hint::black_box(frame)[0] }
}

/// Whether the process was ended by this signal, natively or under an emulator.
fn ended_by(output: &Output, signal: i32) -> bool {
    output.status.signal() == Some(signal) || output.status.code() == Some(128 + signal)
}

#[test]
fn an_overflow_names_the_greenlet_and_its_stack_and_aborts() {
    let output = isolated("overflow::an_overflow_names_the_greenlet_and_its_stack_and_aborts", || {
        let deep = Greenlet::builder().name("deep").stack_size(128 * 1024).build(|()| {
            recurse(0);
        });
        deep.switch(());
    });
    let said = stderr(&output);
    assert!(said.contains("greenlet 1 \"deep\" has overflowed its stack of 128 KiB"), "{said}");
    assert!(said.contains("stack_size(256 * 1024)"), "{said}");
    assert!(ended_by(&output, libc::SIGABRT), "{:?}", output.status);
}

#[test]
fn an_overflow_on_a_thread_that_std_did_not_start_is_reported() {
    let output = isolated("overflow::an_overflow_on_a_thread_that_std_did_not_start_is_reported", || {
        extern "C" fn thread(_: *mut libc::c_void) -> *mut libc::c_void {
            Greenlet::<()>::new(|()| {
                recurse(0);
            })
            .switch(());
            std::ptr::null_mut()
        }
        // SAFETY: the thread takes no argument, and is joined.
        unsafe {
            let mut id = std::mem::zeroed();
            libc::pthread_create(&mut id, std::ptr::null(), thread, std::ptr::null_mut());
            libc::pthread_join(id, std::ptr::null_mut());
        }
    });
    assert!(stderr(&output).contains("has overflowed its stack"), "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGABRT), "{:?}", output.status);
}

#[test]
fn an_ordinary_thread_still_has_the_report_of_std() {
    let output = isolated("overflow::an_ordinary_thread_still_has_the_report_of_std", || {
        Greenlet::<()>::new(|()| ()).switch(());
        let thread = std::thread::Builder::new().name("ordinary".into());
        thread.spawn(|| recurse(0)).unwrap().join().unwrap();
    });
    let said = stderr(&output);
    assert!(said.contains("thread 'ordinary'") && said.contains("has overflowed its stack"), "{said}");
    assert!(ended_by(&output, libc::SIGABRT), "{:?}", output.status);
}

#[test]
fn a_fault_that_is_no_overflow_goes_to_the_handler_that_was_there_before() {
    let output =
        isolated("overflow::a_fault_that_is_no_overflow_goes_to_the_handler_that_was_there_before", || {
            extern "C" fn handler(_: libc::c_int) {
                // SAFETY: ends the process.
                unsafe { libc::_exit(42) };
            }
            // SAFETY: the handler does what handlers may do.
            unsafe { libc::signal(libc::SIGSEGV, handler as *const () as usize) };
            Greenlet::<()>::new(|()| {
                // SAFETY: none: the fault is what is tested.
                unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
            })
            .switch(());
        });
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}

#[test]
fn a_fault_with_nobody_to_take_it_ends_the_process() {
    let output = isolated("overflow::a_fault_with_nobody_to_take_it_ends_the_process", || {
        Greenlet::<()>::new(|()| {
            // SAFETY: none: the fault is what is tested.
            unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
        })
        .switch(());
    });
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}
