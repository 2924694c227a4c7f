//! How often calls were taken over, to see that it works.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Part;

/// What has become of the calls of a part since it was taken over, in the whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls made where a greenlet could wait.
    pub calls: u64,
    /// How often one of them parked its greenlet.
    pub parked: u64,
    /// Calls passed on to libc: threads without a hub made them, or the hub itself.
    pub passed: u64,
}

/// The counts of a part.
///
/// ```
/// # if cfg!(target_os = "linux") {
/// use greenlet_monkey::{Part, counts};
///
/// greenlet_monkey::patch_all().unwrap();
/// greenlet::spawn(|| std::thread::sleep(std::time::Duration::from_millis(1))).join().unwrap();
/// assert_eq!(counts(Part::Time).parked, 1);
/// # }
/// ```
pub fn counts(part: Part) -> Counts {
    let Counters { calls, parked, passed } = &COUNTERS[part as usize];
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Counts { calls: read(calls), parked: read(parked), passed: read(passed) }
}

/// On a cache line of their own: parts are used by different threads.
#[repr(align(128))]
struct Counters {
    calls: AtomicU64,
    parked: AtomicU64,
    passed: AtomicU64,
}

static COUNTERS: [Counters; Part::ALL.len()] =
    [const { Counters { calls: AtomicU64::new(0), parked: AtomicU64::new(0), passed: AtomicU64::new(0) } };
        Part::ALL.len()];

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
impl Part {
    #[inline]
    pub(crate) fn count_call(self) {
        COUNTERS[self as usize].calls.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn count_parked(self) {
        COUNTERS[self as usize].parked.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(crate) fn count_passed(self) {
        COUNTERS[self as usize].passed.fetch_add(1, Ordering::Relaxed);
    }
}
