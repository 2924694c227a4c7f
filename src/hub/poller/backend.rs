//! Which way of waiting a hub uses.

use std::fmt;
use std::str::FromStr;

/// How a hub waits for descriptors; see [`use_backend`](crate::hub::use_backend).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The best that the system has: epoll on Linux, kqueue on macOS and the BSDs. Registers each
    /// descriptor once; the cost of a wait does not depend on how many there are.
    #[default]
    System,
    /// `poll(2)`, which every Unix has, for every kind of descriptor. The cost of a wait grows with
    /// the number of descriptors.
    Poll,
}

/// Names the backend of hubs for which no other was chosen, like gevent's `GEVENT_BACKEND`.
const VARIABLE: &str = "GREENLET_BACKEND";

impl Backend {
    /// What the environment asks for.
    ///
    /// # Panics
    ///
    /// If the environment names something that does not exist: another backend than the one that was
    /// asked for would be worse.
    pub(in crate::hub) fn from_environment() -> Self {
        let Some(name) = std::env::var_os(VARIABLE) else { return Self::default() };
        let name = name.to_string_lossy();
        name.parse().unwrap_or_else(|error| panic!("{VARIABLE}: {error}"))
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::Poll => "poll",
        })
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        match name {
            "system" => Ok(Self::System),
            "poll" => Ok(Self::Poll),
            _ => Err(UnknownBackend(name.into())),
        }
    }
}

/// A text that names no [`Backend`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownBackend(String);

impl fmt::Display for UnknownBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no backend `{}`; there are `system` and `poll`", self.0)
    }
}

impl std::error::Error for UnknownBackend {}
