//! Who may read and who may write, in the order of asking.

use std::cell::Cell;
use std::time::Duration;

use crate::hub::{self, WaitQueue};
use crate::time::deadline;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Admits one writer or any number of readers at a time. Whoever cannot be admitted at once waits in
/// line, readers behind a writer who waits as well; so neither kind starves.
#[derive(Debug)]
pub(super) struct Turns {
    /// How many read; [`WRITER`] if one writes.
    inside: Cell<usize>,
    waiting: WaitQueue<Access>,
}

const WRITER: usize = usize::MAX;

impl Turns {
    pub(super) const fn new() -> Self {
        Self { inside: Cell::new(0), waiting: WaitQueue::new() }
    }

    /// Waits to be admitted; false if that took longer than `timeout`.
    #[track_caller]
    pub(super) fn enter(&self, access: Access, timeout: Option<Duration>) -> bool {
        hub::spend_budget();
        if self.try_enter(access) {
            return true;
        }
        let given_up = GivenUp { turns: self };
        let pass_on = || self.leave(access);
        let (admitted, _) =
            hub::here().wait_with(access, &self.waiting, deadline(timeout), access.name(), &pass_on);
        if admitted {
            std::mem::forget(given_up);
        }
        admitted
    }

    /// Is admitted, if nobody is inside or in line who must come first.
    #[inline]
    pub(super) fn try_enter(&self, access: Access) -> bool {
        let enters = self.waiting.is_empty() && self.admits(access);
        if enters {
            self.admit(access);
        }
        enters
    }

    #[inline]
    pub(super) fn leave(&self, access: Access) {
        self.inside.set(match access {
            Access::Read => self.inside.get() - 1,
            Access::Write => 0,
        });
        self.admit_waiting();
    }

    /// Admits those at the head of the line, as far as they get on with each other.
    #[inline]
    fn admit_waiting(&self) {
        while let Some(access) = self.waiting.first()
            && self.admits(access)
            && self.waiting.wake_one()
        {
            self.admit(access);
        }
    }

    fn admits(&self, access: Access) -> bool {
        match access {
            Access::Read => self.inside.get() != WRITER,
            Access::Write => self.inside.get() == 0,
        }
    }

    fn admit(&self, access: Access) {
        self.inside.set(match access {
            Access::Read => self.inside.get() + 1,
            Access::Write => WRITER,
        });
    }
}

impl Access {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "to read",
            Self::Write => "to write",
        }
    }
}

/// Dropped by whoever stops waiting without having been admitted: the next ones may have waited for
/// it only.
struct GivenUp<'a> {
    turns: &'a Turns,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.turns.admit_waiting();
    }
}
