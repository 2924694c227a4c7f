//! Floor 4: queues between greenlets of one thread, and a choice among several of them.
//!
//! | name | what comes out first | holds |
//! |---|---|---|
//! | [`Queue`] | what went in first | up to its capacity, or any number |
//! | [`LifoQueue`] | what went in last | the same |
//! | [`PriorityQueue`] | the smallest | the same |
//! | [`Channel`] | what was offered first | nothing: putter and getter meet |
//!
//! They are one type, [`QueueOf`], over four ways to keep items. Those who wait are served in the
//! order in which they came, and nobody barges past them: an item that somebody has been woken for
//! is not given to a third, and neither is a place. What a greenlet was woken for and does not take,
//! because it is killed or timed out first, goes to the next one.
//! How else a wait may end: [Waiting](crate::hub#waiting).
//!
//! A queue belongs to one thread; share it through [`Rc`](std::rc::Rc). For other threads there is
//! [`threads::channel`](crate::threads::channel).
//!
//! Names and semantics are those of gevent's and eventlet's queues, and of Python's since 3.13 for
//! [`shutdown`](QueueOf::shutdown).

mod buffer;
mod channel;
mod error;
mod iter;
mod meeting;
mod queue_of;
mod select;

mod shutdown;
mod storage;
mod unfinished;

pub use self::error::{GetError, PutError, TaskDoneError};
pub use self::iter::Iter;
pub use self::queue_of::QueueOf;
pub use self::select::Select;

pub use self::storage::{Buffer, Fifo, Lifo, Priority, Rendezvous, Storage};

/// A first in, first out queue (gevent's and eventlet's `Queue`).
///
/// ```
/// use std::rc::Rc;
/// use greenlet::queue::Queue;
///
/// let queue = Rc::new(Queue::bounded(2));
/// let producer = greenlet::spawn({
///     let queue = queue.clone();
///     move || {
///         for n in 0..5 {
///             queue.put(n).unwrap(); // waits while two items are in the queue
///         }
///         queue.shutdown();
///     }
/// });
/// let got: Vec<i32> = queue.iter().collect();
/// assert_eq!(got, [0, 1, 2, 3, 4]);
/// producer.join().unwrap();
/// ```
pub type Queue<T> = QueueOf<Fifo<T>>;

/// A queue whose users say when they are done with an item (gevent's `JoinableQueue`, eventlet's
/// `Queue`).
///
/// Every queue has [`task_done`](QueueOf::task_done) and [`join`](QueueOf::join), as in Python's
/// `queue` and in today's gevent, so this is another name of [`Queue`].
///
/// ```
/// use std::rc::Rc;
/// use greenlet::queue::JoinableQueue;
///
/// let jobs = Rc::new(JoinableQueue::unbounded());
/// let worker = greenlet::spawn({
///     let jobs = jobs.clone();
///     move || {
///         for job in jobs.iter() {
///             let _: &str = job;
///             jobs.task_done().unwrap();
///         }
///     }
/// });
/// jobs.put("wash").unwrap();
/// jobs.put("dry").unwrap();
/// jobs.join(); // both are done, not merely taken
/// jobs.shutdown();
/// worker.join().unwrap();
/// ```
pub type JoinableQueue<T> = Queue<T>;

/// A last in, first out queue: a stack that can be waited for (gevent's and eventlet's `LifoQueue`).
///
/// ```
/// let queue = greenlet::queue::LifoQueue::unbounded();
/// queue.put("first").unwrap();
/// queue.put("second").unwrap();
/// assert_eq!(queue.get(), Ok("second"));
/// ```
pub type LifoQueue<T> = QueueOf<Lifo<T>>;

/// A queue from which the smallest item comes out first, and the oldest one among equals (gevent's and
/// eventlet's `PriorityQueue`).
///
/// Put tuples of a priority and something else, or [`Reverse`](std::cmp::Reverse) of them to have the
/// greatest come out first.
///
/// ```
/// let queue = greenlet::queue::PriorityQueue::unbounded();
/// queue.put((2, "dry")).unwrap();
/// queue.put((1, "wash")).unwrap();
/// assert_eq!(queue.get(), Ok((1, "wash")));
/// ```
pub type PriorityQueue<T> = QueueOf<Priority<T>>;

/// A queue without room: an item goes from a putter to a getter, and the one who comes first waits for
/// the other (gevent's `Channel`, eventlet's `Queue(0)`, Go's unbuffered channel).
///
/// [`put`](QueueOf::put) returns once the item has been taken. [`try_put`](QueueOf::try_put) succeeds if
/// a getter waits, and [`try_get`](QueueOf::try_get) if a putter waits.
///
/// ```
/// use std::rc::Rc;
/// use greenlet::queue::Channel;
///
/// let channel = Rc::new(Channel::new());
/// assert!(channel.try_put("nobody is there").is_err());
/// let getter = greenlet::spawn({
///     let channel = channel.clone();
///     move || channel.get()
/// });
/// channel.put("hello").unwrap();
/// assert_eq!(getter.join().unwrap(), Ok("hello"));
/// ```
pub type Channel<T> = QueueOf<Rendezvous<T>>;
