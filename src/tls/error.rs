//! Why there is no thread-local storage but the thread's.

use std::{fmt, io};

/// Greenlets of this process cannot have thread-local storage of their own.
///
/// They can on Linux with glibc, in a program that is linked dynamically, and built with the feature
/// `own-tls`: on aarch64, and on x86_64 with a processor and kernel with FSGSBASE (Linux 5.9, processors since
/// about 2012).
#[derive(Clone, Debug)]
pub struct OwnTlsError {
    reason: Reason,
}

/// What was found missing.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// Nobody has written it for this target.
    #[cfg_attr(own_tls, allow(dead_code, reason = "here it is"))]
    Target,
    #[cfg_attr(not(all(own_tls, target_arch = "x86_64")), allow(dead_code, reason = "not looked for"))]
    FsGsBase,
    #[cfg_attr(not(own_tls), allow(dead_code, reason = "not looked for"))]
    Symbol(&'static str),
    #[cfg_attr(not(own_tls), allow(dead_code, reason = "not looked for"))]
    Layout(&'static str),
    #[cfg_attr(not(own_tls), allow(dead_code, reason = "not looked for"))]
    Thread(io::ErrorKind),
}

impl From<Reason> for OwnTlsError {
    fn from(reason: Reason) -> Self {
        Self { reason }
    }
}

impl fmt::Display for OwnTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("greenlets cannot have thread-local storage of their own here: ")?;
        match self.reason {
            Reason::Target => f.write_str("that exists for Linux with glibc on x86_64 and aarch64 only"),
            Reason::FsGsBase => f.write_str(
                "the processor or the kernel does not let programs set the thread base (FSGSBASE, since \
                 Linux 5.9)",
            ),
            Reason::Symbol(name) => {
                write!(f, "the C library does not tell `{name}` (is the program linked statically?)")
            }
            Reason::Layout(what) => {
                write!(f, "the C library is none that this crate knows: {what}")
            }
            Reason::Thread(why) => {
                write!(f, "no thread can be started, from which the C library would know of others: {why}")
            }
        }
    }
}

impl std::error::Error for OwnTlsError {}
