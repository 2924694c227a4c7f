//! What can end a process, each case in a process of its own.
//!
//! A test starts this same binary again with its own name, under a time limit, and looks at how
//! that ended and what it said.

#[cfg(greenlet_sanitizer = "address")]
mod address_sanitizer;
#[cfg(feature = "hub")]
mod descriptors;
#[cfg(feature = "hub")]
mod destructors;
mod exit;
mod faults;
#[cfg(all(feature = "hub", target_os = "linux"))]
mod folders;
#[cfg(feature = "hub")]
mod fork;
mod heap;
mod leaks;
#[cfg(all(feature = "hub", target_os = "linux"))]
mod limits;
mod overflow;
#[cfg(own_tls)]
mod own_tls;
#[cfg(feature = "hub")]
mod reentry;
#[cfg(all(feature = "hub", target_os = "linux"))]
mod refusals;
#[cfg(feature = "hub")]
mod scale;
#[cfg(all(feature = "hub", target_os = "linux"))]
mod servers;
mod shutdown;
#[cfg(feature = "hub")]
mod signals;
#[cfg(all(target_os = "linux", not(greenlet_sanitizer)))]
mod stacks;
#[cfg(feature = "hub")]
mod tasks;
#[cfg(greenlet_sanitizer = "thread")]
mod thread_sanitizer;
mod unwinding;

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const CASE: &str = "GREENLET_ISOLATED_CASE";
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` in a process of its own; the test's full path is `case`.
fn isolated(case: &str, body: fn()) -> Output {
    isolated_by(command(), case, body)
}

/// As [`isolated`], by a [`command`] that something more was said to.
fn isolated_by(mut command: Command, case: &str, body: fn()) -> Output {
    if std::env::var(CASE).as_deref() == Ok(case) {
        body();
        std::process::exit(0);
    }
    let mut child = command
        .args([case, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test binary starts again");
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || read(&mut stdout));
    let stderr = std::thread::spawn(move || read(&mut stderr));
    let status = wait(&mut child);
    Output { status, stdout: reader.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Whether an emulator of a processor runs this, or Valgrind, which is one: it is slow, and has its own
/// ways with memory.
fn is_emulated() -> bool {
    std::env::var_os("CROSS_RUNNER").is_some()
}

/// Runs `body` as [`isolated`] does, and expects it to return.
fn passes(case: &str, body: fn()) {
    let output = isolated(case, body);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// This binary, under the emulator that runs it, if one does.
fn command() -> Command {
    let exe = std::env::current_exe().expect("a test binary has a path");
    match std::env::var_os("CROSS_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(exe);
            command
        }
        None => Command::new(exe),
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("a child can be killed");
            panic!("the case did not end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn read(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("a pipe can be read");
    bytes
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
