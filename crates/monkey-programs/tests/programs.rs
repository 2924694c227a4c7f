//! Each program does many things at the same time, on one OS thread.
//!
//! The time that it takes is printed, and not looked at: that all were in the midst of it together says the same,
//! whatever else the machine does.

use std::process::Command;

/// Set where all of the servers have to be there.
const REQUIRED: &str = "MONKEY_PROGRAMS_REQUIRED";

/// Runs a program, which prints a line for each of the things that it does so many times at once.
fn at_once_on_one_thread(program: &str, times: &[usize]) {
    let output = Command::new("timeout").arg("60").arg(program).output().expect("the program was built");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("there is no ") && std::env::var_os(REQUIRED).is_none() {
        return eprintln!("skipped: {complaint}");
    }
    assert!(output.status.success(), "{}\n{said}{complaint}", output.status);
    print!("{said}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), times.len(), "{said}");
    for (line, times) in lines.iter().zip(times) {
        assert!(line.ends_with(&format!(", {times} at the same time, OS threads: 1")), "{line}");
    }
}

#[test]
fn std_runs_children_and_sleeps() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_std"), &[10, 1000]);
}

#[test]
fn postgres_has_a_hundred_queries() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_postgres"), &[100]);
}

#[test]
fn redis_has_a_hundred_queries() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_redis"), &[100]);
}

#[test]
fn ureq_has_a_hundred_requests_with_and_without_tls() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_ureq"), &[100, 100]);
}

#[test]
fn libcurl_has_a_hundred_requests() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_libcurl"), &[100]);
}

#[test]
fn jemalloc_serves_a_hundred_greenlets() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_jemalloc"), &[100]);
}

#[test]
fn mimalloc_serves_a_hundred_greenlets() {
    at_once_on_one_thread(env!("CARGO_BIN_EXE_mimalloc"), &[100]);
}
