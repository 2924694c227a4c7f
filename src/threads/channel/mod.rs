//! A queue between threads.

mod iter;
mod receiver;
mod sender;
mod state;

use std::sync::{Arc, Mutex};

pub use self::iter::{IntoIter, Iter, TryIter};
pub use self::receiver::Receiver;
pub use self::sender::Sender;

use self::state::State;

/// A channel that takes any number of items ([`std::sync::mpsc::channel`] for greenlets and threads).
///
/// Both ends can be cloned and given to any thread. A greenlet that has to wait lets the others of
/// its thread run; a thread without a hub blocks. When every sender is gone, receiving takes what is
/// left and then fails; when every receiver is gone, sending fails.
///
/// ```
/// use std::thread;
/// use greenlet::threads::channel;
///
/// let (sender, receiver) = channel();
/// let workers: Vec<_> = (0..3)
///     .map(|n| {
///         let sender = sender.clone();
///         thread::spawn(move || sender.send(n * n).unwrap())
///     })
///     .collect();
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<i32>(), 5);
/// workers.into_iter().for_each(|worker| worker.join().unwrap());
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    sync_channel(usize::MAX)
}

/// A channel that holds at most `bound` items; sending more waits ([`std::sync::mpsc::sync_channel`] for
/// greenlets and threads). With a bound of zero, sending waits until the item has been received.
pub fn sync_channel<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Mutex::new(State::new(bound)));
    (Sender::new(shared.clone()), Receiver::new(shared))
}
