//! Faults that are no overflow, and handlers that are not ours.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use greenlet::Greenlet;

use crate::overflow::{ended_by, overflow};
use crate::{isolated, stderr};

type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

const NOWHERE: usize = 8;

/// Writes where nothing is, in a greenlet.
fn fault() {
    Greenlet::<()>::new(|()| {
        // SAFETY: none: the fault is what is tested.
        unsafe { std::ptr::without_provenance_mut::<u8>(NOWHERE).write_volatile(1) };
    })
    .switch(());
}

fn overflow_in_greenlet() {
    Greenlet::<()>::builder().name("deep").build(|()| overflow()).switch(());
}

fn use_greenlets() {
    Greenlet::<()>::new(|()| ()).switch(());
}

/// Sets an action for faults, and returns what was there.
fn set_action(handler: libc::sighandler_t, flags: libc::c_int, masked: &[libc::c_int]) -> libc::sigaction {
    // SAFETY: all zeroes is a valid action; the handlers here do what handlers may do.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        let mut old = action;
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        for &signal in masked {
            libc::sigaddset(&mut action.sa_mask, signal);
        }
        libc::sigaction(libc::SIGSEGV, &action, &mut old);
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        old
    }
}

fn say(text: &str) {
    // SAFETY: writes the text.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

fn exit(code: libc::c_int) {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) };
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer takes the fault")]
fn a_fault_with_nobody_to_take_it_ends_the_process() {
    let output = isolated("faults::a_fault_with_nobody_to_take_it_ends_the_process", fault);
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

#[test]
fn a_fault_goes_to_the_handler_that_was_there_before() {
    let output = isolated("faults::a_fault_goes_to_the_handler_that_was_there_before", || {
        extern "C" fn handler(_: libc::c_int) {
            exit(42);
        }
        set_action(handler as *const () as usize, 0, &[]);
        fault();
    });
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}

#[test]
fn the_handler_that_was_there_before_is_told_the_address() {
    let output = isolated("faults::the_handler_that_was_there_before_is_told_the_address", || {
        extern "C" fn handler(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
            // SAFETY: the information is that of a fault.
            exit(if unsafe { (*info).si_addr() }.addr() == NOWHERE { 42 } else { 1 });
        }
        set_action(handler as *const () as usize, libc::SA_SIGINFO, &[]);
        fault();
    });
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}

#[test]
fn the_handler_that_was_there_before_runs_with_the_signals_blocked_that_it_wants_blocked() {
    let output = isolated(
        "faults::the_handler_that_was_there_before_runs_with_the_signals_blocked_that_it_wants_blocked",
        || {
            extern "C" fn handler(_: libc::c_int) {
                // SAFETY: only reads the thread's mask.
                let blocked = unsafe {
                    let mut mask = MaybeUninit::zeroed().assume_init();
                    libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
                    [libc::SIGUSR1, libc::SIGUSR2].map(|signal| libc::sigismember(&mask, signal))
                };
                exit(if blocked == [1, 0] { 42 } else { 1 });
            }
            set_action(handler as *const () as usize, 0, &[libc::SIGUSR1]);
            fault();
        },
    );
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}

#[test]
fn a_handler_that_asked_to_be_called_once_is_called_once() {
    let output = isolated("faults::a_handler_that_asked_to_be_called_once_is_called_once", || {
        extern "C" fn handler(_: libc::c_int) {
            say("[the handler]");
        }
        set_action(handler as *const () as usize, libc::SA_RESETHAND, &[]);
        fault();
    });
    assert_eq!(stderr(&output).matches("[the handler]").count(), 1, "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

#[test]
fn an_overflow_is_reported_though_there_was_a_handler_before() {
    let output = isolated("faults::an_overflow_is_reported_though_there_was_a_handler_before", || {
        extern "C" fn handler(_: libc::c_int) {
            exit(1);
        }
        set_action(handler as *const () as usize, 0, &[]);
        overflow_in_greenlet();
    });
    assert!(stderr(&output).contains("greenlet 1 \"deep\" has overflowed"), "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGABRT), "{:?}", output.status);
}

#[test]
fn an_overflow_is_reported_if_a_later_handler_passes_on_what_it_does_not_know() {
    let output = isolated(
        "faults::an_overflow_is_reported_if_a_later_handler_passes_on_what_it_does_not_know",
        || {
            static BEFORE: OnceLock<usize> = OnceLock::new();
            extern "C" fn handler(
                signal: libc::c_int,
                info: *mut libc::siginfo_t,
                context: *mut libc::c_void,
            ) {
                say("[passed on]");
                // SAFETY: what was there takes these arguments, as its flags have said.
                let before = unsafe { std::mem::transmute::<usize, WithInfo>(*BEFORE.get().unwrap()) };
                before(signal, info, context);
            }
            use_greenlets();
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            let before = set_action(handler as *const () as usize, flags, &[]);
            assert_ne!(before.sa_flags & libc::SA_SIGINFO, 0);
            BEFORE.set(before.sa_sigaction).unwrap();
            overflow_in_greenlet();
        },
    );
    let said = stderr(&output);
    assert!(said.contains("[passed on]"), "{said}");
    assert!(said.contains("\"deep\" has overflowed its stack"), "{said}");
    assert!(ended_by(&output, libc::SIGABRT), "{:?}", output.status);
}

#[test]
fn an_overflow_is_not_reported_if_a_later_handler_passes_nothing_on() {
    let output = isolated("faults::an_overflow_is_not_reported_if_a_later_handler_passes_nothing_on", || {
        extern "C" fn handler(_: libc::c_int) {
            exit(42);
        }
        use_greenlets();
        set_action(handler as *const () as usize, libc::SA_ONSTACK, &[]);
        overflow_in_greenlet();
    });
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}

#[test]
fn a_signal_that_somebody_sends_ends_the_process() {
    let output = isolated("faults::a_signal_that_somebody_sends_ends_the_process", || {
        set_action(libc::SIG_DFL, 0, &[]);
        use_greenlets();
        // SAFETY: the signal is what is tested.
        unsafe { libc::raise(libc::SIGSEGV) };
        exit(1);
    });
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

#[test]
fn a_signal_that_somebody_sends_is_ignored_if_it_was_before() {
    let output = isolated("faults::a_signal_that_somebody_sends_is_ignored_if_it_was_before", || {
        set_action(libc::SIG_IGN, 0, &[]);
        use_greenlets();
        // SAFETY: the signal is what is tested.
        unsafe { libc::raise(libc::SIGSEGV) };
        exit(42);
    });
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
}
