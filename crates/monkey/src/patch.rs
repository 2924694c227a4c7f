//! Which parts of libc are taken over.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::linux;
#[cfg(feature = "own-tls")]
use crate::storage;

/// A family of libc's blocking functions (gevent has a `patch_socket`, `patch_time` ... for each).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// `recv`, `send`, `accept`, `connect` and their kin.
    Socket,
    /// `nanosleep`, `sleep`, `sched_yield` and their kin.
    Time,
    /// `poll`, `select`, `epoll_wait` and their kin.
    Poll,
    /// `waitpid` and its kin.
    Process,
    /// `read` and `write` on whatever can block, copies within the kernel, `close`, and locks on files.
    Files,
    /// `getaddrinfo`, `getnameinfo`, `gethostbyname` and their kin.
    Names,
    /// `syscall`, for the futexes of which std makes its locks.
    Sync,
    /// `sigaction`, `signal` and their kin, so that a handler ends the calls that its thread's greenlets are parked
    /// in, with `EINTR`, as far as it would end such a call of the thread; and `pause`. Never in a statically
    /// linked program.
    Signals,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Socket,
        Self::Time,
        Self::Poll,
        Self::Process,
        Self::Files,
        Self::Names,
        Self::Sync,
        Self::Signals,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    #[inline]
    pub(crate) fn is_on(self) -> bool {
        ON.load(Ordering::Relaxed) & self.bit() != 0
    }
}

static ON: AtomicU8 = AtomicU8::new(0);

/// Chooses the parts to take over.
///
/// ```
/// # fn main() -> Result<(), greenlet_monkey::Unsupported> {
/// # if !cfg!(target_os = "linux") { return Ok(()) }
/// use greenlet_monkey::{Part, Patch, is_patched};
///
/// Patch::new().socket(true).time(true).apply()?;
/// assert!(is_patched(Part::Socket) && !is_patched(Part::Process));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is taken over before `apply`"]
pub struct Patch {
    parts: u8,
    #[cfg(feature = "own-tls")]
    own_tls: bool,
}

impl Patch {
    #[allow(dead_code, reason = "nobody asks where nothing can be taken over")]
    pub(crate) fn takes(self, part: Part) -> bool {
        self.parts & part.bit() != 0
    }

    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All of them, and storage of their own for greenlets: to be limited by `false`, as in gevent's
    /// `patch_all(time=False)`.
    pub fn all() -> Self {
        let all = Part::ALL.into_iter().fold(Self::new(), |patch, part| patch.part(part, true));
        #[cfg(feature = "own-tls")]
        let all = all.own_tls(true);
        all
    }

    /// Takes a part over, or leaves it.
    pub fn part(mut self, part: Part, on: bool) -> Self {
        if on {
            self.parts |= part.bit();
        } else {
            self.parts &= !part.bit();
        }
        self
    }

    /// [`Part::Socket`]. Data on sockets may also be read and written by [`Part::Files`].
    pub fn socket(self, on: bool) -> Self {
        self.part(Part::Socket, on)
    }

    /// [`Part::Time`].
    pub fn time(self, on: bool) -> Self {
        self.part(Part::Time, on)
    }

    /// [`Part::Poll`].
    pub fn poll(self, on: bool) -> Self {
        self.part(Part::Poll, on)
    }

    /// [`Part::Process`].
    pub fn process(self, on: bool) -> Self {
        self.part(Part::Process, on)
    }

    /// [`Part::Files`].
    pub fn files(self, on: bool) -> Self {
        self.part(Part::Files, on)
    }

    /// [`Part::Names`].
    pub fn names(self, on: bool) -> Self {
        self.part(Part::Names, on)
    }

    /// [`Part::Sync`].
    pub fn sync(self, on: bool) -> Self {
        self.part(Part::Sync, on)
    }

    /// [`Part::Signals`].
    pub fn signals(self, on: bool) -> Self {
        self.part(Part::Signals, on)
    }

    /// Has greenlets that are made from then on have thread-local storage of their own, where that is
    /// possible: to std and to C each of them is a thread. [`own_tls`](crate::own_tls) says what has become
    /// of it. The builder's `own_tls` and `shared_tls` decide for one greenlet.
    #[cfg(feature = "own-tls")]
    pub fn own_tls(mut self, on: bool) -> Self {
        self.own_tls = on;
        self
    }

    /// Takes the parts over, in the whole process, besides those that are taken over already. There is
    /// no way back: a greenlet may be parked in one of their calls.
    ///
    /// That greenlets cannot have storage of their own is no error.
    ///
    /// # Errors
    ///
    /// Where this crate does not work; and for [`Part::Names`] in a statically linked program, which has no other
    /// lookup than the one that would be taken over. Then nothing has changed.
    pub fn apply(self) -> Result<(), Unsupported> {
        linux::prepare(self)?;
        // A static program has libc's functions for that, and no way past them to libc.
        let possible = if cfg!(target_feature = "crt-static") { !Part::Signals.bit() } else { u8::MAX };
        ON.fetch_or(self.parts & possible, Ordering::Relaxed);
        linux::take_over_what_is_there(self);
        #[cfg(feature = "own-tls")]
        if self.own_tls {
            storage::turn_on();
        }
        Ok(())
    }
}

/// Takes over all that there is (gevent's `monkey.patch_all()`), and has greenlets that are made from now on
/// have thread-local storage of their own, where they can. Best called first thing in `main`.
///
/// # Errors
///
/// Where this crate does not work; and in a statically linked program, which can have `Patch::all().names(false)`.
/// Then nothing has changed.
///
/// ```
/// # if cfg!(target_os = "linux") {
/// use std::time::Duration;
/// use greenlet::{join_all, spawn};
///
/// greenlet_monkey::patch_all().unwrap();
/// let sleepers: Vec<_> = (0..1000).map(|_| spawn(|| std::thread::sleep(Duration::from_millis(10)))).collect();
/// join_all(&sleepers, None); // all of them slept at the same time
/// # }
/// ```
pub fn patch_all() -> Result<(), Unsupported> {
    Patch::all().apply()
}

/// Whether a part is taken over (gevent's `monkey.is_module_patched`).
pub fn is_patched(part: Part) -> bool {
    part.is_on()
}

/// The names of the functions that are taken over now.
///
/// ```
/// # if cfg!(target_os = "linux") {
/// assert_eq!(greenlet_monkey::patched_symbols().count(), 0);
/// greenlet_monkey::patch_all().unwrap();
/// assert!(greenlet_monkey::patched_symbols().any(|name| name == "recv"));
/// # }
/// ```
pub fn patched_symbols() -> impl Iterator<Item = &'static str> {
    Part::ALL
        .into_iter()
        .filter(|part| part.is_on())
        .flat_map(|part| linux::symbols(part).iter().copied().flatten().copied())
}

/// What was to be taken over cannot be: on this system or processor nothing can, or in this program not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(pub(crate) Why);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each is where it is so")]
pub(crate) enum Why {
    System,
    StaticNames,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Why::System => "blocking calls can be taken over on Linux only, on x86_64 and AArch64",
            Why::StaticNames => {
                "name lookups cannot be taken over in a statically linked program: leave them out, by \
                 `Patch::all().names(false).apply()`"
            }
        })
    }
}

impl Error for Unsupported {}
