//! Refuses targets that there is no assembly for, in a sentence instead of a hundred errors.
//!
//! The assembly itself needs no build step: `src/arch/` includes the routines of the target's
//! folder below `asm/` into the code that uses them.

use std::env;

const SUPPORTED: &str = "x86_64 and aarch64 on Linux, macOS and the BSDs, with 64-bit pointers";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let arch = matches!(target("ARCH").as_str(), "x86_64" | "aarch64");
    // x32 has the instructions but neither the pointers nor the stack layout.
    if !(arch
        && target("FAMILY").split(',').any(|family| family == "unix")
        && target("POINTER_WIDTH") == "64")
    {
        let name = env::var("TARGET").unwrap_or_default();
        println!("cargo::error=greenlet does not support the target {name}. Supported are {SUPPORTED}.");
    }
}
