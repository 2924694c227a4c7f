//! The same crawl with `ureq`, a client that knows nothing of greenlets, over
//! std's sockets: `greenlet-monkey` takes libc's blocking calls over.
//!
//! It does so in every program that it is linked with. So that is a program of
//! its own, in `crates/monkey-programs/src/bin/crawl`, which differs from this
//! one in how it gets a URL.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Has cargo build and run it, with the same command line.
pub fn run() -> ExitCode {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/monkey-programs/Cargo.toml");
    let run = ["run", "--release", "--manifest-path", manifest, "--bin", "crawl", "--"];
    let error = Command::new(cargo).args(run).args(env::args_os().skip(1)).exec();
    eprintln!("crawl: cargo does not start: {error}");
    ExitCode::FAILURE
}
