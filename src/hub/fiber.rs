//! What the hub knows of one greenlet.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::ptr::NonNull;

use super::interrupts::Interrupts;
use super::{Cause, Hub, Interrupt};
use crate::greenlet::core::Core;
use crate::greenlet::counting::{Kept, keep};
use crate::greenlet::stacks;
use crate::greenlet::standing::{Mark, Phase};
use crate::stack::StackError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FiberState {
    /// It runs, or waits for something that is not the hub's.
    Running,
    /// It is in the run queue.
    Ready,
    /// It waits to be made ready.
    Parked,
    /// Its turn came where it was left in a callback: it is ready again as soon as it comes back from there.
    Late,
    /// It waits, and is to be unwound.
    Unwound,
    /// It is not to run any more, though it may still be in the run queue.
    Ended,
}

/// The hub's record of a greenlet: a link in the run queue, and what it waits for.
pub(crate) struct Fiber {
    core: NonNull<Core>,
    /// Link in the run queue.
    pub(crate) next: Cell<*const Fiber>,
    /// Made on first use, and kept as long as the record.
    seldom: OnceCell<Box<Seldom>>,
    pub(crate) state: Cell<FiberState>,
    /// Whether the hub started it, and so holds a count until it ends. All others are guests.
    is_spawned: bool,
    /// For the floor above, in what would be padding: a note, zero at first, and how many refer to this, which
    /// is one at first.
    pub(crate) note: Cell<u16>,
    pub(crate) refs: Cell<u32>,
}

/// What few greenlets have, kept out of the others' way.
#[derive(Default)]
struct Seldom {
    interrupts: Interrupts,
    /// The floor above's.
    above: OnceCell<Box<dyn Any>>,
}

/// What a hub calls, in a callback, with a greenlet that it was to start and that does not get to run.
/// The hub's count on it goes with the call.
pub(crate) type OnUnrun = unsafe fn(NonNull<Core>, Unrun);

/// Why a spawned greenlet does not get to run.
pub(crate) enum Unrun {
    /// It had [ended](FiberState::Ended) by the time when its turn came.
    Ended,
    /// There is no stack for it.
    NoStack(StackError),
}

impl Fiber {
    /// The record of a greenlet that the hub did not spawn: it runs.
    pub(crate) fn guest(core: NonNull<Core>) -> Self {
        Self::new(core, FiberState::Running, false)
    }

    /// The record of a greenlet that the hub is about to start. The hub's count on it is given up
    /// by [`Hub::exit`](super::Hub::exit) at its end, or by what the hub calls if it does not get to
    /// [run](Hub::on_unrun).
    ///
    /// # Safety
    ///
    /// The core's record is set to this.
    pub(crate) unsafe fn spawned(core: NonNull<Core>) -> Self {
        let fiber = Self::new(core, FiberState::Parked, true);
        fiber.set_waits_on("its first run");
        fiber
    }

    #[inline]
    fn new(core: NonNull<Core>, state: FiberState, is_spawned: bool) -> Self {
        Self {
            core,
            next: Cell::new(std::ptr::null()),
            seldom: OnceCell::new(),
            state: Cell::new(state),
            is_spawned,
            note: Cell::new(0),
            refs: Cell::new(1),
        }
    }

    pub(crate) fn core(&self) -> NonNull<Core> {
        self.core
    }

    pub(crate) fn is_spawned(&self) -> bool {
        self.is_spawned
    }

    /// What it waits for, if it is parked.
    pub(crate) fn waits_on(&self) -> &'static str {
        // SAFETY: a parked greenlet is alive, and of any other the block is still there.
        unsafe { self.core.as_ref() }.waits_on.get()
    }

    #[inline]
    pub(crate) fn set_waits_on(&self, what: &'static str) {
        // SAFETY: it runs, or is about to.
        unsafe { self.core.as_ref() }.waits_on.set(what);
    }

    /// Keeps a guest's greenlet alive until the guard is dropped.
    #[inline]
    pub(crate) fn keep_guest(&self) -> Option<Kept> {
        (!self.is_spawned).then(|| keep(self.core))
    }

    /// Whether it has anything of what few have.
    #[inline]
    pub(crate) fn has_seldom(&self) -> bool {
        self.seldom.get().is_some()
    }

    fn seldom_or_new(&self) -> &Seldom {
        if !self.has_seldom() {
            // An allocator that waited has let others run, and one of them may have made it.
            let _ = self.seldom.set(Box::default());
        }
        self.seldom.get().expect("made by somebody")
    }

    /// What few of the floor above's greenlets have, if this one has it. It is of one type for all.
    #[inline]
    pub(crate) fn above<X: 'static>(&self) -> Option<&X> {
        self.seldom.get()?.above.get()?.downcast_ref()
    }

    pub(crate) fn above_or_new<X: Default + 'static>(&self) -> &X {
        let above = &self.seldom_or_new().above;
        if above.get().is_none() {
            // As above.
            let _ = above.set(Box::<X>::default());
        }
        self.above().expect("made by somebody")
    }

    /// Has something raised in it where it waits next. What that replaces is returned, to be dropped last: it may do
    /// anything then.
    pub(crate) fn add_interrupt(&self, interrupt: Interrupt) -> impl Sized + use<> {
        self.seldom_or_new().interrupts.add(interrupt)
    }

    /// Takes back what was to be raised and is wanted no more.
    pub(crate) fn cancel_interrupts(&self, cause: Cause) {
        if let Some(seldom) = self.seldom.get() {
            seldom.interrupts.cancel(cause);
        }
    }

    /// Whether anything is to be raised in it.
    #[inline]
    pub(crate) fn has_interrupts(&self) -> bool {
        self.seldom.get().is_some_and(|seldom| !seldom.interrupts.is_empty())
    }

    /// Raises what is due here.
    #[track_caller]
    #[inline]
    pub(crate) fn raise_interrupt(&self) {
        if self.has_interrupts() {
            self.raise_first();
        }
    }

    #[track_caller]
    #[cold]
    fn raise_first(&self) {
        if let Some(interrupt) = self.seldom.get().and_then(|seldom| seldom.interrupts.take_first()) {
            interrupt.raise();
        }
    }

    /// Whether it can be switched to, because it has run before, and was neither abandoned nor left in a callback
    /// since, or has a stack now. One that was spawned and is never going to run is told so.
    // Part of every wait, as its caller is.
    #[inline(always)]
    pub(crate) fn can_run(&self, hub: &Hub) -> bool {
        // SAFETY: a record's greenlet is alive while it can be run.
        let block = unsafe { self.core.as_ref() };
        match block.standing.phase() {
            Phase::Unstarted => self.can_start(hub, block),
            Phase::Active | Phase::Dead => {
                !block.standing.has_either(Mark::Abandoned, Mark::CalledUpon) || self.comes_late()
            }
        }
    }

    /// Its turn has come where it cannot take it.
    #[cold]
    fn comes_late(&self) -> bool {
        self.state.set(FiberState::Late);
        false
    }

    #[inline]
    fn can_start(&self, hub: &Hub, block: &Core) -> bool {
        self.state.get() != FiberState::Ended && stacks::reserve_used(block)
            || self.can_start_otherwise(hub, block)
    }

    // A call, so that who waits has no room on its stack for what goes wrong here: that is memory in no cache.
    #[cold]
    #[inline(never)]
    fn can_start_otherwise(&self, hub: &Hub, block: &Core) -> bool {
        let why = match self.state.get() {
            FiberState::Ended => Unrun::Ended,
            _ => match stacks::reserve(block) {
                Ok(()) => return true,
                Err(error) => Unrun::NoStack(error),
            },
        };
        self.tell_unrun(hub, why);
        false
    }

    fn tell_unrun(&self, hub: &Hub, why: Unrun) {
        assert!(self.is_spawned, "a guest has a stack");
        let (core, call) = (self.core, hub.on_unrun.get().expect("whoever spawns has said what to call"));
        // SAFETY: by the word of `on_unrun`; the hub's count is given up, and this record not used
        // any more.
        hub.call_back(|| unsafe { call(core, why) });
    }
}
