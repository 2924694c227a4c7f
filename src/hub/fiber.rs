//! What the hub knows of one greenlet.

use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic;
use std::ptr::NonNull;

use super::Hub;
use crate::greenlet::core::{Core, Phase};
use crate::greenlet::counting::{Kept, keep};
use crate::greenlet::life;
use crate::stack::StackError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FiberState {
    /// It runs, or waits for something that is not the hub's.
    Running,
    /// It is in the run queue.
    Ready,
    /// It waits to be made ready.
    Parked,
    /// It is not to run any more, though it may still be in the run queue.
    Ended,
}

/// The hub's record of a greenlet: a link in the run queue, and what it waits for.
pub(crate) struct Fiber {
    core: NonNull<Core>,
    /// Link in the run queue.
    pub(crate) next: Cell<*const Fiber>,
    pub(crate) state: Cell<FiberState>,
    /// Whether the hub started it, and so holds a count until it ends. All others are guests.
    is_spawned: bool,
    /// What is to be raised in it, in this order; never an empty list.
    #[expect(clippy::box_collection, reason = "one word, because few greenlets are ever interrupted")]
    interrupts: Cell<Option<Box<VecDeque<Interrupt>>>>,
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

/// Something to be raised in a greenlet where it waits.
pub(crate) enum Interrupt {
    /// Unwinds with the payload, without a call of the panic hook.
    Unwind(Cause, Box<dyn Any + Send>),
    /// Panics with the text.
    Panic(String),
}

/// Who interrupts, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Kill,
    Timeout(u64),
}

impl Interrupt {
    pub(crate) fn panic(text: String) -> Self {
        Self::Panic(text)
    }

    #[track_caller]
    fn raise(self) -> ! {
        match self {
            Self::Unwind(_, payload) => panic::resume_unwind(payload),
            Self::Panic(text) => panic!("{text}"),
        }
    }

    fn is_caused_by(&self, cause: Cause) -> bool {
        matches!(self, Self::Unwind(own, _) if *own == cause)
    }
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
            state: Cell::new(state),
            is_spawned,
            interrupts: Cell::new(None),
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

    pub(crate) fn add_interrupt(&self, interrupt: Interrupt) {
        let mut interrupts = self.interrupts.take().unwrap_or_default();
        interrupts.push_back(interrupt);
        self.interrupts.set(Some(interrupts));
    }

    /// Takes back what was to be raised and is wanted no more.
    pub(crate) fn cancel_interrupts(&self, cause: Cause) {
        let Some(interrupts) = self.interrupts.take() else { return };
        let (cancelled, left): (VecDeque<_>, VecDeque<_>) =
            interrupts.into_iter().partition(|interrupt| interrupt.is_caused_by(cause));
        self.interrupts.set((!left.is_empty()).then(|| Box::new(left)));
        // Dropped when all is in place again: a payload may be anything.
        drop(cancelled);
    }

    /// Whether anything is to be raised in it.
    #[inline]
    pub(crate) fn has_interrupts(&self) -> bool {
        // SAFETY: only this thread looks at the cell, and nobody else while this does.
        unsafe { &*self.interrupts.as_ptr() }.is_some()
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
        let mut interrupts = self.interrupts.take().unwrap_or_default();
        let first = interrupts.pop_front();
        self.interrupts.set((!interrupts.is_empty()).then_some(interrupts));
        if let Some(first) = first {
            first.raise();
        }
    }

    /// Whether it can be switched to, because it has run before, and was not abandoned since, or has a
    /// stack now. One that was spawned and is never going to run is told so.
    #[inline]
    pub(crate) fn can_run(&self, hub: &Hub) -> bool {
        // SAFETY: a record's greenlet is alive while it can be run.
        let block = unsafe { self.core.as_ref() };
        match block.phase.get() {
            Phase::Unstarted => self.can_start(hub, block),
            Phase::Active | Phase::Dead => !block.abandoned.get(),
        }
    }

    #[inline]
    fn can_start(&self, hub: &Hub, block: &Core) -> bool {
        let why = match self.state.get() {
            FiberState::Ended => Unrun::Ended,
            _ => match life::reserve_stack(block) {
                Ok(_) => return true,
                Err(error) => Unrun::NoStack(error),
            },
        };
        self.tell_unrun(hub, why);
        false
    }

    #[cold]
    fn tell_unrun(&self, hub: &Hub, why: Unrun) {
        assert!(self.is_spawned, "a guest has a stack");
        let (core, call) = (self.core, hub.on_unrun.get().expect("whoever spawns has said what to call"));
        // SAFETY: by the word of `on_unrun`; the hub's count is given up, and this record not used
        // any more.
        hub.in_callback(|| unsafe { call(core, why) });
    }
}
