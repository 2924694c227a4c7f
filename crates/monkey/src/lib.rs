//! Monkey patching, natively: code nobody wrote for greenlets becomes cooperative.
//!
//! Linking this crate puts functions of its own in the place of libc's blocking ones: `read`, `recv`,
//! `connect`, `poll`, `nanosleep`, the `futex` system call and some sixty more. Until [`patch_all`] or
//! [`Patch::apply`] is called they pass every call on. After that, a call that would block a greenlet parks
//! it, and others run: whether it comes from `std::net`, `std::thread::sleep`, `std::sync`, from a
//! crate that never heard of greenlets, or from C.
//!
//! ```
//! # #[cfg(not(target_os = "linux"))] fn main() {}
//! # #[cfg(target_os = "linux")]
//! # fn main() -> Result<(), greenlet_monkey::Unsupported> {
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! greenlet_monkey::patch_all()?;
//!
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! let server = greenlet::spawn(move || {
//!     let (mut connection, _) = listener.accept().unwrap(); // parks
//!     let mut request = [0; 5];
//!     connection.read_exact(&mut request).unwrap();
//!     connection.write_all(&request).unwrap();
//! });
//! let client = greenlet::spawn(move || {
//!     let mut stream = TcpStream::connect(address).unwrap();
//!     stream.write_all(b"hello").unwrap();
//!     let mut answer = [0; 5];
//!     stream.read_exact(&mut answer).unwrap();
//!     assert_eq!(&answer, b"hello");
//! });
//! client.join().unwrap();
//! server.join().unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! A call parks where it may: on a thread that has a hub, which is one where a greenlet was spawned, or waited.
//! On all other threads, before `main`, and in what the hub itself does, calls go to libc as ever. Threads stay
//! threads: where `std::thread::spawn` is to start a greenlet, the program says `greenlet::spawn`.
//!
//! # What changes, and what does not
//!
//! The mode of a descriptor stays what the program has set. A descriptor in non-blocking mode, `MSG_DONTWAIT`
//! and a timeout of zero mean what they meant; so do `SO_RCVTIMEO`, `SO_SNDTIMEO`, `MSG_WAITALL`, and
//! the value of `errno` after a call. A write in blocking mode writes all. On what is in
//! blocking mode, `connect`, `sendfile` and `splice` set `O_NONBLOCK` for the time of one system call; nothing else
//! touches a mode.
//!
//! **A signal** that the thread has handled ends the calls that its greenlets are parked in with `EINTR`, where it would
//! have ended a blocking call of the thread: `SA_RESTART` means what it meant. Not in a statically linked program.
//!
//! **A kill or a timeout** does not unwind through a call that was taken over, because C frames and std's own
//! may be in between. A call on a descriptor fails with `ECANCELED`, a sleep ends early, a wait for a lock or a
//! condition variable wakes once for no reason. What is to be raised stays due, and every further call
//! that would wait ends in the same way, until the greenlet waits by a means of this library (or ends). One
//! that ignores the errors for ever lets others run.
//!
//! **A greenlet is a thread to std and to C**, on Linux with glibc: those that are made after [`patch_all`]
//! have thread-locals of their own. So std's `mpsc` channels, `thread::park`, the lock of `stdout`, `thread::current()`
//! and a `RefCell` in a thread-local that stays borrowed across a call are right between greenlets of one
//! thread. `own_tls()` says whether it is so, and if not, why; [`Patch`] and the builder of a greenlet decide
//! otherwise. The feature `own-tls`, on by default, is for this.
//!
//! **Elsewhere thread-locals are the thread's.** All greenlets of a thread share them, and what tells threads apart
//! by them **does not work between greenlets of one thread**: a `recv` may miss its wake-up, two greenlets may have
//! the stdout lock at once. `Mutex`, `RwLock`, `Condvar`, `Once`, `OnceLock`, `LazyLock` and `Barrier` work; and
//! `greenlet::queue` does.
//!
//! The guide, `docs/monkey-patching.md` in the repository, says what cannot be taken over, what it costs
//! and where it is not sound.
//!
//! # Where it works
//!
//! Linux on x86_64 and AArch64. Elsewhere nothing is taken over, and [`patch_all`] says
//! [`Unsupported`]. It says so as well in a statically linked program, where name lookups cannot be taken over:
//! `Patch::all().names(false).apply()` takes over all else.

mod counts;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "elsewhere.rs"]
mod linux;
mod patch;
#[cfg(feature = "own-tls")]
mod storage;

pub use crate::counts::{Counts, counts};
pub use crate::patch::{Part, Patch, Unsupported, is_patched, patch_all, patched_symbols};
#[cfg(feature = "own-tls")]
pub use crate::storage::{OwnTls, own_tls};
