//! The programs in `examples/seeds/` show what the programs that they are after show.
//!
//! Each runs as a program of its own, because what is taken over stays so.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::duplicate_mod, reason = "two of the programs share a web")]

use std::fmt::{self, Write};
use std::process::Command;
use std::sync::Mutex;

/// Stands in for std's in the modules below.
macro_rules! println {
    ($($line:tt)*) => { crate::hear(format_args!($($line)*)) };
}

#[path = "../examples/seeds/crawler.rs"]
mod crawler;
#[path = "../examples/seeds/echo_server.rs"]
mod echo_server;
#[path = "../examples/seeds/five_fetches.rs"]
mod five_fetches;
#[path = "../examples/seeds/names.rs"]
mod names;

/// Of all greenlets, each of which has thread-locals of its own.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn hear(line: fmt::Arguments) {
    let mut text = String::new();
    text.write_fmt(line).unwrap();
    HEARD.lock().unwrap().push(text);
}

/// The lines that a program prints; it runs in a process of its own, which starts this test again.
fn output(test: &str, main: fn()) -> Vec<String> {
    const CASE: &str = "GREENLET_SEED";
    if std::env::var_os(CASE).is_some() {
        main();
        std::eprintln!("HEARD{}", HEARD.lock().unwrap().join("\nHEARD"));
        std::process::exit(0);
    }
    let exe = std::env::current_exe().unwrap();
    let runner = std::env::var_os("CROSS_RUNNER");
    let mut command = Command::new(runner.as_ref().unwrap_or(&exe.clone().into_os_string()));
    if runner.is_some() {
        command.arg(exe);
    }
    let output = command.args([test, "--exact", "--nocapture"]).env(CASE, "1").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines().filter_map(|line| line.strip_prefix("HEARD")).map(str::to_owned).collect()
}

/// How many have begun when the first one ends.
fn begun_before_the_first_end(lines: &[String], begin: &str) -> usize {
    lines.iter().take_while(|line| line.contains(begin)).count()
}

#[test]
fn the_crawler_is_serial_before_patch_all_and_not_after() {
    let lines = output("the_crawler_is_serial_before_patch_all_and_not_after", crawler::main);
    let (before, after) = lines.split_at(6);
    assert_eq!(begun_before_the_first_end(before, "GET"), 1);
    assert_eq!(begun_before_the_first_end(after, "GET"), 3);
    assert!(after[3..].iter().all(|line| line.contains("32 bytes received")), "{after:?}");
}

#[test]
fn five_fetches_begin_before_the_first_one_ends() {
    let lines = output("five_fetches_begin_before_the_first_one_ends", five_fetches::main);
    let at = lines.iter().position(|line| line == "Asynchronous:").unwrap();
    assert_eq!(begun_before_the_first_end(&lines[1..at], "begin"), 1);
    assert_eq!(begun_before_the_first_end(&lines[at + 1..], "begin"), 5);
    assert_eq!(lines.len(), 2 + 20);
}

#[test]
fn three_names_are_looked_up() {
    let lines = output("three_names_are_looked_up", names::main);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("Some(127.0.0.1), Some(::1)]"), "{lines:?}");
}

#[test]
fn the_echo_server_echoes_to_all_by_turns() {
    let lines = output("the_echo_server_echoes_to_all_by_turns", echo_server::main);
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("recv: "), count("Received ")), (6, 6));
    let last_hello = lines.iter().rposition(|line| line.starts_with("recv: hello")).unwrap();
    let first_goodbye = lines.iter().position(|line| line.starts_with("Received goodbye")).unwrap();
    assert!(last_hello < first_goodbye, "all are served at the same time: {lines:?}");
}
