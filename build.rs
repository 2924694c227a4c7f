//! Refuses targets that there is no assembly for, in a sentence instead of a hundred errors.
//!
//! The assembly itself needs no build step: `src/arch/` includes the routines of the target's
//! folder below `asm/` into the code that uses them.
//!
//! And sees whether the build has a sanitizer, which `cfg(sanitize)` tells nobody but build scripts yet:
//! `src/arch/sanitizer/` is chosen by it.

use std::env;

/// The sanitizers that have to be told of switches.
const SANITIZERS: [&str; 2] = ["address", "thread"];

const SUPPORTED: &str = "x86_64 and aarch64 on Linux, macOS and the BSDs, with 64-bit pointers";

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
