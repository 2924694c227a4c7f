//! Programs in Go, where there is Go.

use std::process::{Command, Stdio};

/// Builds a program; false if there is no Go.
pub fn build(source: &str, program: &str) -> bool {
    let version = Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    // Under Valgrind a program that is not there starts and fails.
    let has_go = version.is_ok_and(|status| status.success());
    if has_go {
        let built = Command::new("go").args(["build", "-o", program, source]).status();
        assert!(built.is_ok_and(|status| status.success()), "{source} builds");
    } else {
        eprintln!("without go its rows stay empty");
    }
    has_go
}
