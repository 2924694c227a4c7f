//! Floor 4: what greenlets share with other OS threads.
//!
//! Everything else in this crate belongs to one thread. What is here is `Send` and `Sync`: a greenlet
//! of any hub can wait for it, and so can a thread that has no hub, which blocks then; and anybody can
//! wake them. A hub is woken by a system call only if it sleeps.
//!
//! | here | from | |
//! |---|---|---|
//! | [`channel()`], [`sync_channel()`] | std's `mpsc` | a queue, with any number of senders and receivers |
//! | [`Event`] | gevent | a flag that many wait for |
//! | [`AsyncResult`] | gevent | a value or an error that many wait for |
//!
//! Those who wait are woken in the order in which they came. Unlike within one thread, somebody else
//! may be quicker to take what they were woken for; they wait again then.
//!
//! As long as a greenlet waits for one of these, its hub sleeps rather than to conclude that nothing
//! can wake it: it cannot know what other threads will do.
//! How else a wait may end: [Waiting](crate::hub#waiting).
//!
//! To have a hub run something, see [`HubHandle`](crate::hub::HubHandle); to run something that blocks
//! without holding up a hub, [`ThreadPool`](crate::pool::ThreadPool).

mod async_result;
mod channel;
mod event;
mod waiters;

pub use self::async_result::AsyncResult;
pub use self::channel::{IntoIter, Iter, Receiver, Sender, TryIter, channel, sync_channel};
pub use self::event::Event;
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
