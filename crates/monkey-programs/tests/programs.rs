//! Each program does a hundred things at the same time, on one OS thread.
//!
//! The time that it takes is printed, and not looked at: that all were in the midst of it together says the same,
//! whatever else the machine does.

use std::process::Command;

/// Set where all of the servers have to be there.
const REQUIRED: &str = "MONKEY_PROGRAMS_REQUIRED";

/// Runs a program, which prints so many lines with what it has counted.
fn hundred_at_once_on_one_thread(program: &str, lines: usize) {
    let output = Command::new(program).output().expect("the program was built");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("there is no ") && std::env::var_os(REQUIRED).is_none() {
        return eprintln!("skipped: {complaint}");
    }
    assert!(output.status.success(), "{}\n{said}{complaint}", output.status);
    println!("{said}");
    let right = said.lines().filter(|line| line.ends_with("100 at the same time, OS threads: 1")).count();
    assert_eq!(right, lines, "{said}");
}

#[test]
fn postgres_has_a_hundred_queries_at_once() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_postgres"), 1);
}

#[test]
fn redis_has_a_hundred_queries_at_once() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_redis"), 1);
}

#[test]
fn ureq_has_a_hundred_requests_at_once_with_and_without_tls() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_ureq"), 2);
}

#[test]
fn libcurl_has_a_hundred_requests_at_once() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_libcurl"), 1);
}

#[test]
fn jemalloc_serves_a_hundred_greenlets() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_jemalloc"), 1);
}

#[test]
fn mimalloc_serves_a_hundred_greenlets() {
    hundred_at_once_on_one_thread(env!("CARGO_BIN_EXE_mimalloc"), 1);
}
