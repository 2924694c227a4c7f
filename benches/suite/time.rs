//! What is measured: processor time, or time.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// A clock for criterion.
#[derive(Clone, Copy, PartialEq)]
pub enum Time {
    /// The processor time of all threads of this process, on which other programs have less influence.
    Processor,
    /// For what waits.
    Wall,
}

impl Time {
    /// The time that has passed since some moment that does not change.
    pub fn now(self) -> Duration {
        let clock = match self {
            Self::Processor => libc::CLOCK_PROCESS_CPUTIME_ID,
            Self::Wall => libc::CLOCK_MONOTONIC,
        };
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes to a variable of our own.
        assert_eq!(unsafe { libc::clock_gettime(clock, &mut now) }, 0, "the system has this clock");
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }
}

impl Measurement for Time {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        self.now()
    }

    fn end(&self, start: Duration) -> Duration {
        self.now() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
