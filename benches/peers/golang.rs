//! Programs in Go, where there is Go.

use std::process::{Command, Stdio};

/// Builds a program; false if there is no Go.
pub fn build(source: &str, program: &str) -> bool {
    let has_go = Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok();
    if has_go {
        let built = Command::new("go").args(["build", "-o", program, source]).status();
        assert!(built.is_ok_and(|status| status.success()), "{source} builds");
    } else {
        eprintln!("without go its rows stay empty");
    }
    has_go
}
