//! The rows of the scheduler. What runs in them, in whose words: a *task* is what `spawn` makes.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::suite::Row;
use crate::suite::run::Run;
use crate::suite::time::Time;

pub const WAVES: Row = Row::new("spawn + join, 1000 at a time", 1000);
pub const CROWD: Row = Row::new("spawn + join, 100000 at once", 100_000).samples(10);

/// How often each task yields.
pub const YIELDS: u64 = 100;
pub const YIELD_2: Row = Row::new("yield between 2", 2 * YIELDS);
pub const YIELD_1000: Row = Row::new("yield among 1000", 1000 * YIELDS).samples(20);

/// How often the item goes there and back, through two queues that hold one.
pub const ROUNDS: u64 = 10_000;
pub const QUEUE: Row = Row::new("queue, there and back", 2 * ROUNDS).samples(20);
/// The same by what other threads could use too. The peers' queues are all of this kind.
pub const CHANNEL: Row = Row::new("channel, there and back", 2 * ROUNDS).samples(20);

/// A hundred tasks take ten permits in turn, so many times each, and yield while they have one.
pub const TURNS: u64 = 100;
pub const SEMAPHORE: Row = Row::new("semaphore, 100 for 10 permits", 100 * TURNS).samples(20);

/// A hundred tasks take one mutex in turn, so many times each, and yield while they have it.
pub const MUTEX: Row = Row::new("mutex, 100 for one", 100 * TURNS).samples(20);

/// All but the last to arrive wait for an event, and the last one sets it: so many times.
pub const EVENTS: u64 = 100;
pub const WAITERS: u64 = 1000;
pub const EVENT: Row = Row::new("event that wakes 1000", WAITERS * EVENTS).samples(20);

/// A timeout of a minute around one yield.
pub const TIMEOUTS: u64 = 1000;
pub const TIMEOUT: Row = Row::new("timeout set and cancelled", TIMEOUTS).samples(20);

/// So many run at once, each for a [`nap`] more than a minute.
pub const TIMERS_100K: Row = Row::new("100000 timers set, then cancelled", 100_000).samples(10);
pub const TIMERS_1M: Row = Row::new("1000000 timers set, then cancelled", 1_000_000).samples(10);
pub const MINUTE: Duration = Duration::from_secs(60);

/// Tasks that take a [`nap`] each.
pub const SLEEP_1M: Row = Row {
    once_a_sample: true,
    is_huge: true,
    ..Row::new("1000000 sleepers of 1 to 1000 ms", 1_000_000).samples(10)
};

/// How long they take longer than the longest of them.
pub const SLEEP_100K: Row = Row {
    once_a_sample: true,
    time: Time::Wall,
    ..Row::new("100000 sleepers of 1 to 1000 ms, over the longest", 1).samples(10)
};

/// To a thread without a hub by std's channel, and back by the contestant's.
pub const CALLS: u64 = 1000;
pub const THREAD: Row =
    Row { time: Time::Wall, samples: 20, ..Row::new("to another thread, and back", CALLS) };

/// To another thread that schedules as the contestant does, and back, by its channels.
pub const SCHEDULER: Row =
    Row { time: Time::Wall, samples: 20, ..Row::new("to another scheduler's thread, and back", CALLS) };

/// To a thread that the contestant keeps for what blocks, and back.
pub const POOL: Row =
    Row { time: Time::Wall, samples: 20, ..Row::new("to a thread for what blocks, and back", CALLS) };

/// The thread without a hub, which sends back what it gets.
pub fn echo_thread(answer: impl Fn(u64) + Send + 'static) -> (mpsc::Sender<u64>, thread::JoinHandle<()>) {
    let (ask, asked) = mpsc::channel();
    (ask, thread::spawn(move || asked.iter().for_each(answer)))
}

/// Whether this arrival is the last one of its time.
pub fn all_are_here(arrivals: u64) -> bool {
    arrivals.is_multiple_of(WAITERS + 1)
}

const LONGEST_NAP_MS: u64 = 1000;

/// Neighbours sleep for different times.
pub fn nap(n: u64) -> Duration {
    Duration::from_millis(1 + n * 7919 % LONGEST_NAP_MS)
}

/// Measures how much longer than the longest nap it takes until all have slept. What only the first time costs is
/// not in it.
pub fn over_the_longest(run: &mut Run, mut sleep: impl FnMut()) {
    sleep();
    run.custom(|iterations, _| {
        let mut once = |_| {
            let start = Instant::now();
            sleep();
            start.elapsed() - Duration::from_millis(LONGEST_NAP_MS)
        };
        (0..iterations).map(&mut once).sum()
    });
}

pub const ROWS: &[Row] = &[
    WAVES,
    CROWD,
    YIELD_2,
    YIELD_1000,
    QUEUE,
    CHANNEL,
    SEMAPHORE,
    MUTEX,
    EVENT,
    TIMEOUT,
    TIMERS_100K,
    TIMERS_1M,
    THREAD,
    SCHEDULER,
    POOL,
    SLEEP_100K,
    SLEEP_1M,
];
