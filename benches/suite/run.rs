//! One run of a row.

use std::hint::black_box;
use std::time::Duration;

use criterion::Bencher;

use super::Row;
use super::counter;
use super::time::Time;

/// What a way is given to do its work with.
pub struct Run<'a, 'b> {
    /// Of which it is a run.
    pub row: Row,
    kind: Kind<'a, 'b>,
}

enum Kind<'a, 'b> {
    Timed(&'a mut Bencher<'b, Time>),
    Counted(u64),
}

/// Measures what it is told to, by what this run measures.
#[derive(Clone, Copy)]
pub struct Clock(Option<Time>);

impl<'a, 'b> Run<'a, 'b> {
    pub(super) fn timed(bencher: &'a mut Bencher<'b, Time>, row: Row) -> Self {
        Self { row, kind: Kind::Timed(bencher) }
    }

    pub(super) fn counted(iterations: u64, row: Row) -> Self {
        Self { row, kind: Kind::Counted(iterations) }
    }

    /// Does it again and again. What only the first time costs is not in it.
    pub fn iter<R>(&mut self, mut once: impl FnMut() -> R) {
        // It is called in this place only. In several the compiler does not inline what is long, and the call would
        // be measured with it.
        let mut repeat = |times: u64| (0..times).for_each(|_| drop(black_box(once())));
        repeat(1);
        self.custom(|times, clock| clock.time(|| repeat(times)));
    }

    /// For what has to be prepared off the clock: does it as many times as it is told, and says how
    /// long that took.
    pub fn custom(&mut self, mut many: impl FnMut(u64, Clock) -> Duration) {
        let time = self.row.time;
        match &mut self.kind {
            Kind::Timed(bencher) => bencher.iter_custom(|iterations| many(iterations, Clock(Some(time)))),
            Kind::Counted(iterations) => {
                many(*iterations, Clock(None));
            }
        }
    }
}

impl Clock {
    /// How long `work` took, if it is time that is measured.
    #[inline(always)]
    pub fn time(self, work: impl FnOnce()) -> Duration {
        match self.0 {
            Some(time) => {
                let start = time.now();
                work();
                time.now() - start
            }
            None => {
                counter::start();
                work();
                counter::stop();
                Duration::ZERO
            }
        }
    }
}
