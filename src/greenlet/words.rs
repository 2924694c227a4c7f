//! The words by which code finds what belongs to its OS thread: plain thread-locals, without lazy
//! initialisation and without a destructor.
//!
//! They are all there is of this crate in thread-local storage that is looked at often. So a switch to
//! storage of a greenlet's own has to carry over these and nothing else: in each block of storage they are
//! right while it is in force. What is looked at rarely stays in the thread's own storage, see
//! [`on_thread`](super::thread::on_thread).

use std::cell::Cell;
use std::ptr;

use super::core::Core;
use crate::tls::Anchor;

/// One copy of the words.
pub(super) struct Words {
    /// The current greenlet, if the next switch may take the fast path; else null.
    pub(super) fast: Cell<*const Core>,
    /// The current greenlet, if it has this storage to itself, and the next switch may do no more than to
    /// exchange it; else null.
    across: Cell<*const Core>,
    /// The current greenlet when `fast` is null; null before first use.
    pub(super) slow: Cell<*const Core>,
    /// How many of each kind of [`Hold`] there are, in [units](Hold::unit). They need not end in the order
    /// in which they began: who unwinds somebody may be unwound by a third one meanwhile.
    holds: Cell<u64>,
    /// What the floors above keep here.
    kept: [Cell<*const ()>; 2],
}

/// Why nobody may wait now, if so. The later one goes before the earlier one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Nothing,
    /// A callback of the hub runs, or what must not be seen half done.
    Callback,
    /// Destructors run that go back to where they were called from and nowhere else: those of a greenlet's
    /// own thread-locals, or of a greenlet whose last handle has gone during a panic.
    Destructors,
}

/// What a switch away from the current greenlet has to see to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// To nothing, and to who shares the storage in force.
    Fast,
    /// To that others have other storage.
    Across,
    /// To more than that.
    Slow,
}

/// A word that a floor above keeps here.
#[derive(Clone, Copy)]
pub(crate) enum Kept {
    Hub,
    Memory,
}

thread_local! {
    static WORDS: Words = const {
        Words {
            fast: Cell::new(ptr::null()),
            across: Cell::new(ptr::null()),
            slow: Cell::new(ptr::null()),
            holds: Cell::new(0),
            kept: [const { Cell::new(ptr::null()) }; 2],
        }
    };
}

/// Calls with the words that are right now.
#[inline(always)]
pub(super) fn with<R>(call: impl FnOnce(&Words) -> R) -> R {
    WORDS.with(call)
}

/// Where they are in the storage in force.
pub(super) const ANCHOR: Anchor = Anchor { locate, len: size_of::<Words>() };

unsafe extern "C" fn locate() -> *const () {
    with(|words| ptr::from_ref(words).cast())
}

impl Words {
    /// Makes a greenlet the current one.
    #[inline(always)]
    pub(super) fn set_current(&self, core: &Core, leaving: Leaving) {
        let only = |this| if leaving == this { core } else { ptr::null() };
        self.fast.set(only(Leaving::Fast));
        if cfg!(own_tls) {
            self.across.set(only(Leaving::Across));
        }
        if leaving != Leaving::Fast {
            self.slow.set(core);
        }
    }

    /// Makes these right, which belong to storage that is about to be in force, by those that are.
    #[inline(always)]
    pub(super) fn carry_over(&self) {
        // What is done with the values is no part of this, or it might become a call.
        let (holds, kept) = with(|now| (now.holds.get(), [now.kept[0].get(), now.kept[1].get()]));
        self.holds.set(holds);
        self.kept[0].set(kept[0]);
        self.kept[1].set(kept[1]);
    }
}

/// The current greenlet if a switch may take the fast path.
#[inline(always)]
pub(crate) fn fast_current() -> *const Core {
    with(|words| words.fast.get())
}

/// What the fast path does to make `core` current.
#[inline(always)]
pub(crate) fn set_fast_current(core: *const Core) {
    with(|words| words.fast.set(core));
}

#[inline(always)]
pub(super) fn slow_current() -> *const Core {
    with(|words| words.slow.get())
}

/// The current greenlet if a switch may do no more than to exchange the storage, which it has to itself.
#[inline(always)]
pub(super) fn across_current() -> *const Core {
    with(|words| words.across.get())
}

/// What was last kept; null at first.
#[inline(always)]
pub(crate) fn kept(what: Kept) -> *const () {
    with(|words| words.kept[what as usize].get())
}

pub(crate) fn keep(what: Kept, pointer: *const ()) {
    with(|words| words.kept[what as usize].set(pointer));
}

impl Hold {
    /// What one of this kind counts for: calls in callbacks are in the lower half. Either may be as many as there
    /// are stacks.
    const fn unit(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Callback => 1,
            Self::Destructors => 1 << 32,
        }
    }
}

/// Why nobody may wait now, if so.
#[inline(always)]
pub(crate) fn held() -> Hold {
    match with(|words| words.holds.get()) {
        0 => Hold::Nothing,
        holds if holds < Hold::Destructors.unit() => Hold::Callback,
        _ => Hold::Destructors,
    }
}

/// Until the guard is dropped, nobody may wait.
pub(crate) fn hold(why: Hold) -> Held {
    with(|words| words.holds.set(words.holds.get() + why.unit()));
    Held(why)
}

/// Calls what must not wait. An allocator that waits, for one, would let others run, and they might look at what
/// is being changed: within this it blocks the thread.
#[inline]
pub(crate) fn without_waiting<R>(call: impl FnOnce() -> R) -> R {
    let _held = hold(Hold::Callback);
    call()
}

/// Whether there is one reason not to wait, and it is this one.
pub(super) fn is_held_once(why: Hold) -> bool {
    with(|words| words.holds.get()) == why.unit()
}

/// Until the guard is dropped, there is one such reason less.
pub(super) fn lift(why: Hold) -> Lifted {
    with(|words| words.holds.set(words.holds.get() - why.unit()));
    Lifted(why)
}

/// One reason less not to wait, until it is dropped.
pub(crate) struct Lifted(Hold);

impl Drop for Lifted {
    fn drop(&mut self) {
        with(|words| words.holds.set(words.holds.get() + self.0.unit()));
    }
}

/// One reason more not to wait, until it is dropped.
pub(crate) struct Held(Hold);

impl Drop for Held {
    fn drop(&mut self) {
        with(|words| words.holds.set(words.holds.get() - self.0.unit()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_holds_of_one_kind_are_not_taken_for_the_other_kind_or_none() {
        let many = 1 << 16;
        let destructors: Vec<_> = (0..=many).map(|_| hold(Hold::Destructors)).collect();
        assert!(held() == Hold::Destructors);
        drop(destructors);
        let callbacks: Vec<_> = (0..=many).map(|_| hold(Hold::Callback)).collect();
        assert!(held() == Hold::Callback);
        drop(callbacks);
        assert!(held() == Hold::Nothing);
    }
}
