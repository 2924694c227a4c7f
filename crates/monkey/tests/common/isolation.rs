//! A test in a process of its own.
//!
//! It starts the same test binary again with its own name, and looks at how that ended.

use std::process::Command;

const CASE: &str = "GREENLET_MONKEY_CASE";

/// Whether this is the process of that test.
pub fn runs(case: &str) -> bool {
    std::env::var(CASE).as_deref() == Ok(case)
}

/// Runs `body` in a process of its own; the test's full path is `case`. What it wrote to standard error.
pub fn isolated(case: &str, body: impl FnOnce()) -> String {
    if runs(case) {
        body();
        std::process::exit(0);
    }
    let exe = std::env::current_exe().expect("a test binary has a path");
    // Under the emulator that runs this binary, if one does.
    let program = std::env::var_os("CROSS_RUNNER").into_iter().chain([exe.into_os_string()]);
    let mut limited = Command::new("timeout");
    limited.args(["-s", "KILL", "60"]).args(program);
    let output = limited
        .args([case, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .output()
        .expect("the test binary starts again");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{case}: {}\n{said}", output.status);
    said
}
