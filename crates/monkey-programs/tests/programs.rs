//! Each program does many things at the same time, on one OS thread.
//!
//! The time that it takes is printed, and not looked at: that all were in the midst of it together says the same,
//! whatever else the machine does.

use std::process::Command;

/// Set where all of the servers have to be there.
const REQUIRED: &str = "MONKEY_PROGRAMS_REQUIRED";

/// What a program prints; `None` where there is nobody for it to talk to.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let mut limited = Command::new("timeout");
    let output = limited.arg("120").arg(program).args(args).output().expect("the program was built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("there is no ") && std::env::var_os(REQUIRED).is_none() {
        eprintln!("skipped: {complaint}");
        return None;
    }
    assert!(output.status.success(), "{}\n{said}{complaint}", output.status);
    println!("{said}");
    Some(said)
}

/// Runs a program, which prints a line for each of the things that it does so many times at once.
fn at_once_on_one_thread(program: &str, times: &[usize]) {
    let Some(said) = output(program, &[]) else { return };
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

#[test]
fn ureq_crawls_a_site_with_all_greenlets_at_once_and_finds_the_same() {
    let said = output(env!("CARGO_BIN_EXE_crawl"), &["--json"]).expect("it serves itself");
    let report: serde_json::Value = serde_json::from_str(&said).expect("it prints JSON");
    assert_eq!(report["same_findings"], true, "{said}");
    let crawl = &report["concurrent"];
    assert_eq!(crawl["os_threads"], 1, "{said}");
    // Those that fetch, and those that serve them.
    assert!(crawl["peak_greenlets"].as_u64() >= Some(200), "{said}");
}
