//! Blocking style at event-loop cost.
//!
//! A *greenlet* is a function with a stack of its own. This crate gives you two things to do with
//! them, one standing on the other:
//!
//! - **The switch layer.** [`Greenlet`]s that [`switch`](Greenlet::switch) values to one another,
//!   linked to parents that receive what they leave behind, as in Python's greenlet. The switch
//!   is a dozen instructions of assembly, inlined into its caller. There is no scheduler in it.
//!   With `default-features = false` this is all that is built, on `libc` alone.
//! - **The scheduler** (feature `hub`, on by default). [`spawn`] tasks and write plain blocking
//!   code: what would block parks the task, and this thread runs another one, as in gevent and
//!   eventlet.
//!
//! Everything runs on the thread that made it; nothing needs to be `Send`. Several cores are used by several
//! hubs, one a thread: [`hub::run_on`], [`server::ThreadedServer`].
//!
//! ```
//! # #[cfg(feature = "hub")] {
//! use std::io::{Read, Write};
//! use std::time::Duration;
//! use greenlet::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! drop(greenlet::spawn(move || {
//!     for connection in listener.incoming().flatten() {
//!         drop(greenlet::spawn(move || (&connection).write_all(b"hello")));
//!     }
//! }));
//!
//! let fetch = move || -> std::io::Result<String> {
//!     let mut text = String::new();
//!     TcpStream::connect(address)?.read_to_string(&mut text)?;
//!     Ok(text)
//! };
//! let tasks: Vec<_> = (0..1000).map(|_| greenlet::spawn(fetch)).collect();
//! let done = greenlet::join_all(&tasks, Some(Duration::from_secs(10)));
//! assert_eq!(done.len(), 1000);
//! # Ok(())
//! # }
//! # main().unwrap();
//! # }
//! ```
//!
//! (A real server is [`server::StreamServer`]: where there are no descriptors left it pauses, and the loop above spins.)
//!
//! # The house
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 0 | `arch` | the context switch, one file per architecture, over `asm/` |
//! | 1 | `stack` | reserving, guarding and pooling stacks; the overflow report |
//! | 1 | `tls` | blocks of thread-local storage (feature `own-tls`) |
//! | 2 | `greenlet` | [`Greenlet`]: switch, throw, parents, life and death; [`Generator`], [`trace`], [`local!`], [`context`] |
//! | 3 | [`hub`] | run queue, timers, poller, parking, wakes from other threads, several hubs |
//! | 4 | `timeout`, `task` | [`with_timeout`], [`Timeout`]; [`spawn`], [`GreenThread`], [`Task`], [`sleep`], [`join_all`] |
//! | 4 | [`sync`], [`queue`] | what tasks wait for each other with |
//! | 4 | [`pool`] | tasks by the dozen, and threads for what blocks |
//! | 4 | [`threads`] | what they share with other OS threads |
//! | 4 | [`os`] | any descriptor, pipes, standard input and output |
//! | 5 | [`dns`], [`fs`], [`net`], [`process`], [`signal`] | name lookups, files, sockets, child processes, signals |
//! | 6 | [`server`] | servers of connections and datagrams, on one thread or on several |
//!
//! The guide is in the repository's `docs/`: the architecture, the switch in pictures, the limits.
//!
//! # Panics, kills and unwinding
//!
//! A panic ends its greenlet and is delivered to the parent, or to whoever joins the task. A kill
//! and a timeout unwind a greenlet from the place where it waits, so its destructors run. While a
//! thread unwinds, nothing may switch: a destructor that would have to wait gets an error where
//! there is one to return, and panics otherwise. [Waiting](hub#waiting) has the details, and says what
//! happens when nobody can ever run again.
//!
//! Built with `panic = "abort"`, switching works and whatever needs unwinding says that it cannot.

// The map of the house names what this build may lack.
#![cfg_attr(not(feature = "hub"), allow(rustdoc::broken_intra_doc_links))]

mod arch;
// What only the hub asks of this floor is unused without it, and so is what only `hub::embed` does.
#[cfg_attr(not(all(feature = "hub", target_os = "linux")), allow(dead_code))]
mod greenlet;
#[cfg(any(feature = "hub", own_tls))]
mod lock;
mod places;
#[cfg(test)]
#[path = "../tests/common/random.rs"]
mod random;
mod report;
mod stack;
// Nobody asks for storage without the feature.
#[cfg_attr(not(feature = "own-tls"), allow(dead_code, unused_imports))]
mod tls;

#[cfg(feature = "hub")]
pub mod dns;
#[cfg(feature = "hub")]
pub mod fs;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hub")]
pub mod net;
#[cfg(feature = "hub")]
pub mod os;
#[cfg(feature = "hub")]
pub mod pool;
#[cfg(feature = "hub")]
pub mod process;
#[cfg(feature = "hub")]
pub mod queue;
#[cfg(feature = "hub")]
pub mod server;
#[cfg(feature = "hub")]
pub mod signal;
#[cfg(feature = "hub")]
mod spin;
#[cfg(feature = "hub")]
pub mod sync;
#[cfg(feature = "hub")]
mod task;
#[cfg(feature = "hub")]
pub mod threads;
#[cfg(feature = "hub")]
mod time;
#[cfg(feature = "hub")]
mod timeout;

#[cfg(feature = "own-tls")]
pub use crate::greenlet::set_own_tls_by_default;
pub use crate::greenlet::{
    Builder, Generator, GeneratorExit, Greenlet, GreenletExit, KillError, LocalKey, ParentError, Raised,
    State, Step, SwitchError, WeakGreenlet, Yielder, context, trace, trim_stacks, unwind_all,
};
pub use crate::report::{Report, ReportKind, set_report_hook};
pub use crate::stack::{DEFAULT_STACK_SIZE, MIN_STACK_SIZE, StackError};
#[cfg(feature = "hub")]
pub use crate::task::{
    GreenThread, IWait, LinkId, Task, TaskError, idle, iwait, join_all, kill_all, sleep, sleep_until, spawn,
    spawn_later, task_tree, wait, yield_now,
};
#[cfg(feature = "hub")]
pub use crate::timeout::{Expired, Timeout, TimeoutError, with_timeout};
#[cfg(feature = "own-tls")]
pub use crate::tls::OwnTlsError;

/// The README's examples are tests.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are the examples of the guide.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/sync.md")]
struct SyncGuide;

/// And these.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/tasks.md")]
struct TasksGuide;

/// And these.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/io.md")]
struct IoGuide;

/// And these.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/cores.md")]
struct CoresGuide;

/// And these.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/embedding.md")]
struct EmbeddingGuide;

/// And this.
#[cfg(all(doctest, feature = "own-tls"))]
#[doc = include_str!("../docs/own-tls.md")]
struct OwnTlsGuide;

/// So are the examples of the guide for users of Python's greenlet.
#[cfg(doctest)]
#[doc = include_str!("../docs/coming-from-greenlet.md")]
struct ComingFromGreenlet;

/// And those for users of gevent and of eventlet.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/coming-from-gevent.md")]
struct ComingFromGevent;

/// And these.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../docs/coming-from-eventlet.md")]
struct ComingFromEventlet;
