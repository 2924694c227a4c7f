//! Refuses targets that there is no assembly for, in a sentence instead of a hundred errors; and processors with more
//! registers than the assembly can name.
//!
//! The assembly itself needs no build step: `src/arch/` includes the routines of the target's
//! folder below `asm/` into the code that uses them.
//!
//! And sees whether the build has a sanitizer, which `cfg(sanitize)` tells nobody but build scripts yet:
//! `src/arch/sanitizer/` is chosen by it.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

/// The sanitizers that have to be told of switches.
const SANITIZERS: [&str; 2] = ["address", "thread"];

const SUPPORTED: &str = "x86_64 and aarch64 on Linux, macOS and the BSDs, with 64-bit pointers";

/// Keeps so many words that all registers are in use.
const CROWDED: &str = "
    #![no_std]
    #![crate_type = \"lib\"]
    pub fn reverse(words: &mut [u64; 32]) {
        let mut kept = [0; 32];
        for (kept, word) in kept.iter_mut().zip(words.iter()) {
            *kept = unsafe { core::ptr::read_volatile(word) };
        }
        for (kept, word) in kept.iter().rev().zip(words.iter_mut()) {
            unsafe { core::ptr::write_volatile(word, *kept) };
        }
    }
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let cfg = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    let has = |name: &str, value: &str| cfg(name).split(',').any(|one| one == value);
    let arch = matches!(cfg("TARGET_ARCH").as_str(), "x86_64" | "aarch64");
    // x32 has the instructions but neither the pointers nor the stack layout.
    if !(arch && has("TARGET_FAMILY", "unix") && cfg("TARGET_POINTER_WIDTH") == "64") {
        let name = env::var("TARGET").unwrap_or_default();
        println!("cargo::error=greenlet does not support the target {name}. Supported are {SUPPORTED}.");
    }
    if cfg("TARGET_ARCH") == "x86_64" && uses_apx() {
        println!(
            "cargo::error=greenlet cannot be built for processors with APX yet: the compiler would keep values in \
             their registers r16 to r31 across a switch, and inline assembly has no way to say that it changes them. \
             Build with RUSTFLAGS=\"... -C target-feature=-apxf\"."
        );
    }
    let values = SANITIZERS.map(|name| format!("{name:?}")).join(", ");
    println!("cargo::rustc-check-cfg=cfg(greenlet_sanitizer, values(none(), {values}))");
    for sanitizer in SANITIZERS {
        if has("SANITIZE", sanitizer) {
            println!("cargo::rustc-cfg=greenlet_sanitizer");
            println!("cargo::rustc-cfg=greenlet_sanitizer={sanitizer:?}");
        }
    }
    // Elsewhere the feature compiles, and says at run time that there is no such thing. Sanitizers keep
    // in thread-locals what belongs to the thread.
    println!("cargo::rustc-check-cfg=cfg(own_tls)");
    let known = arch && cfg("TARGET_OS") == "linux" && cfg("TARGET_ENV") == "gnu";
    if known && cfg("SANITIZE").is_empty() && env::var_os("CARGO_FEATURE_OWN_TLS").is_some() {
        println!("cargo::rustc-cfg=own_tls");
    }
}

/// Whether what is compiled by the flags for all crates uses the registers r16 to r31. No `cfg` tells.
fn uses_apx() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // Few builds need to look.
    (flags.contains("target-cpu") || flags.contains("apxf"))
        && assembly(CROWDED, &flags).is_some_and(|assembly| assembly.contains("%r16"))
}

/// What a source is compiled to by these flags, unless that fails.
fn assembly(source: &str, flags: &str) -> Option<String> {
    let mut compiler = Command::new(env::var_os("RUSTC")?)
        .args(flags.split('\x1f'))
        .args(["-", "-Copt-level=3", "--cap-lints=allow", "--emit=asm", "-o", "-"])
        .args(["--target", &env::var("TARGET").ok()?])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    compiler.stdin.take()?.write_all(source.as_bytes()).ok()?;
    let output = compiler.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
