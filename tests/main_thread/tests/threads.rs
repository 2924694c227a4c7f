//! Threads that come after greenlets with thread-local storage of their own.

use std::ffi::OsString;
use std::process::Command;

/// An emulator runs the program, if one runs this.
#[test]
fn what_is_done_to_all_threads_is_done_to_those() {
    let program = [env!("CARGO_BIN_EXE_main_thread"), "threads-later"].map(OsString::from);
    let mut words = std::env::var_os("CROSS_RUNNER").into_iter().chain(program);
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
