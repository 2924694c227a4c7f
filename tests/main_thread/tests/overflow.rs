//! Overflows on the main thread.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// On every Unix.
const SIGABRT: i32 = 6;

/// What the program says as it aborts. An emulator runs it, if one runs this.
fn said_by(scene: &str) -> String {
    let program = [env!("CARGO_BIN_EXE_main_thread"), scene].map(OsString::from);
    let mut words = std::env::var_os("CROSS_RUNNER").into_iter().chain(program);
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let signal = output.status.signal().or(output.status.code().map(|code| code - 128));
    assert_eq!(signal, Some(SIGABRT), "{said}");
    said
}

#[test]
fn a_greenlet_is_named() {
    let said = said_by("overflow");
    assert!(said.contains("greenlet 2 \"inner\" has overflowed its stack"), "{said}");
}

#[test]
fn the_thread_itself_still_has_the_report_of_std() {
    let said = said_by("overflow-of-main");
    assert!(said.contains("thread 'main'") && said.contains("has overflowed its stack"), "{said}");
    assert!(!said.contains("greenlet"), "{said}");
}

#[test]
fn one_who_overflows_in_a_destructor_as_the_process_exits_is_named() {
    let said = said_by("overflow-at-exit");
    assert!(said.contains("greenlet 1 \"left behind\" has overflowed its stack"), "{said}");
}
