//! Why there is no stack.

use std::fmt;
use std::io;

/// A stack could not be had. The greenlet that wanted it stays unstarted and may be tried again.
#[derive(Debug)]
pub struct StackError {
    bytes: usize,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    TooLarge { largest: usize },
    Map(io::Error),
    Guard(io::Error),
}

impl StackError {
    pub(crate) fn too_large(bytes: usize, largest: usize) -> Self {
        Self { bytes, reason: Reason::TooLarge { largest } }
    }

    /// Takes the reason from `errno`.
    pub(crate) fn map(bytes: usize) -> Self {
        Self { bytes, reason: Reason::Map(io::Error::last_os_error()) }
    }

    /// Takes the reason from `errno`.
    pub(crate) fn guard(bytes: usize) -> Self {
        Self { bytes, reason: Reason::Guard(io::Error::last_os_error()) }
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.bytes / 1024;
        match &self.reason {
            Reason::TooLarge { largest } => {
                write!(f, "a stack of {kib} KiB was asked for, the largest is {} KiB", largest / 1024)
            }
            Reason::Map(error) => write!(f, "no memory for a stack of {kib} KiB: {error}"),
            Reason::Guard(error) => write!(
                f,
                "no guard page for a stack of {kib} KiB: {error}. On kernels without guard regions \
                 (before Linux 6.13) each stack takes two memory mappings; the limit is the sysctl \
                 vm.max_map_count"
            ),
        }
    }
}

impl std::error::Error for StackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::TooLarge { .. } => None,
            Reason::Map(error) | Reason::Guard(error) => Some(error),
        }
    }
}
