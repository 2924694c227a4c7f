//! Where a greenlet is in its life, and what is so of few, in one byte: that there is nothing of that kind is one
//! comparison.

use std::cell::Cell;

/// Where a greenlet is in its life. Which of the active ones runs is the thread's knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Has not run yet.
    Unstarted,
    /// Has a stack: suspended or running.
    Active,
    /// Has finished. Vacant blocks say so, too.
    Dead,
}

/// What is so of few greenlets.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Mark {
    /// It did not unwind when it was told to. Its stack is never freed.
    Abandoned = 1 << 2,
    /// Its last handle has gone: weak handles do not find it any more.
    Forgotten = 1 << 3,
    /// Somebody waits for it to be unwound.
    Unwound = 1 << 4,
    /// It has [extras](super::extras).
    Furnished = 1 << 5,
    /// Its thread has ended.
    Orphaned = 1 << 6,
    /// A callback of the floor above runs on its stack.
    CalledUpon = 1 << 7,
}

/// A phase in the low bits, marks in the others.
pub(crate) struct Standing(Cell<u8>);

const PHASES: u8 = 0b11;

impl Standing {
    pub(crate) const fn new(phase: Phase) -> Self {
        Self(Cell::new(phase as u8))
    }

    #[inline(always)]
    pub(crate) fn phase(&self) -> Phase {
        match self.0.get() & PHASES {
            0 => Phase::Unstarted,
            1 => Phase::Active,
            _ => Phase::Dead,
        }
    }

    /// Puts it in another phase. The marks stay.
    #[inline(always)]
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.0.set(self.0.get() & !PHASES | phase as u8);
    }

    /// Whether it is in that phase, and has no marks.
    #[inline(always)]
    pub(crate) fn is_plainly(&self, phase: Phase) -> bool {
        self.0.get() == phase as u8
    }

    /// Puts it in a phase, without marks.
    #[inline(always)]
    pub(crate) fn set_plainly(&self, phase: Phase) {
        self.0.set(phase as u8);
    }

    #[inline(always)]
    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.0.get() & mark as u8 != 0
    }

    #[inline(always)]
    pub(crate) fn has_either(&self, one: Mark, other: Mark) -> bool {
        self.0.get() & (one as u8 | other as u8) != 0
    }

    pub(crate) fn set(&self, mark: Mark, is_so: bool) {
        let others = self.0.get() & !(mark as u8);
        self.0.set(if is_so { others | mark as u8 } else { others });
    }
}
