//! What the hub knows of one greenlet.

use std::any::Any;
use std::cell::Cell;
use std::panic;
use std::ptr::NonNull;

use crate::greenlet::core::{Core, Phase};
use crate::greenlet::counting::{Kept, keep};
use crate::greenlet::{SwitchError, life};
use crate::stack::StackError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FiberState {
    /// It runs, or waits for something that is not the hub's.
    Running,
    /// It is in the run queue.
    Ready,
    /// It waits to be made ready.
    Parked,
    /// It has ended without having run.
    Ended,
}

/// The hub's record of a greenlet: a link in the run queue, and what it waits for.
pub(crate) struct Fiber {
    core: NonNull<Core>,
    /// Link in the run queue.
    pub(crate) next: Cell<*const Fiber>,
    pub(crate) state: Cell<FiberState>,
    /// The hub spawned it and holds a count on it until it ends.
    owned: bool,
    pub(crate) waits_on: Cell<&'static str>,
    /// What is to be raised in it, in this order.
    interrupts: Cell<Vec<Interrupt>>,
    /// What to do when no stack can be had for it, and its argument.
    on_cannot_start: Cell<Option<(*const (), CannotStart)>>,
}

type CannotStart = unsafe fn(&Fiber, *const (), SwitchError);

/// Something to be raised in a greenlet where it waits.
pub(crate) enum Interrupt {
    /// Unwinds with the payload, without a call of the panic hook.
    Unwind(Box<dyn Any + Send>),
    /// Panics with the text.
    Panic(String),
}

impl Interrupt {
    pub(crate) fn panic(text: String) -> Self {
        Self::Panic(text)
    }

    #[track_caller]
    fn raise(self) -> ! {
        match self {
            Self::Unwind(payload) => panic::resume_unwind(payload),
            Self::Panic(text) => panic!("{text}"),
        }
    }
}

impl Fiber {
    /// The record of a greenlet that the hub did not spawn: it runs.
    pub(crate) fn guest(core: NonNull<Core>) -> Self {
        Self::new(core, FiberState::Running, false)
    }

    /// The record of a greenlet that the hub is about to start. The hub's count on it is given up
    /// by [`Hub::exit`](super::Hub::exit) at its end, or by what is set here below.
    pub(crate) fn spawned(core: NonNull<Core>) -> Self {
        Self::new(core, FiberState::Parked, true)
    }

    /// Names what is called, with `owner`, if no stack can be had for the greenlet's first run. The
    /// owner lives as long as this record.
    pub(crate) fn when_it_cannot_start(&self, owner: *const (), call: CannotStart) {
        self.on_cannot_start.set(Some((owner, call)));
    }

    fn new(core: NonNull<Core>, state: FiberState, owned: bool) -> Self {
        Self {
            core,
            next: Cell::new(std::ptr::null()),
            state: Cell::new(state),
            owned,
            waits_on: Cell::new("its first run"),
            interrupts: Cell::default(),
            on_cannot_start: Cell::new(None),
        }
    }

    pub(crate) fn core(&self) -> NonNull<Core> {
        self.core
    }

    /// Keeps a guest's greenlet alive until the guard is dropped.
    #[inline]
    pub(crate) fn keep_guest(&self) -> Option<Kept> {
        (!self.owned).then(|| keep(self.core))
    }

    pub(crate) fn add_interrupt(&self, interrupt: Interrupt) {
        let mut interrupts = self.interrupts.take();
        interrupts.push(interrupt);
        self.interrupts.set(interrupts);
    }

    /// Takes back what was to be raised and is wanted no more.
    pub(crate) fn cancel_interrupts(&self, cancel: impl Fn(&(dyn Any + Send)) -> bool) {
        let mut interrupts = self.interrupts.take();
        interrupts.retain(|interrupt| !matches!(interrupt, Interrupt::Unwind(payload) if cancel(&**payload)));
        self.interrupts.set(interrupts);
    }

    /// Raises what is due here.
    #[track_caller]
    #[inline]
    pub(crate) fn raise_interrupt(&self) {
        // SAFETY: only this thread looks at the cell, and nobody else while this does.
        if !unsafe { &*self.interrupts.as_ptr() }.is_empty() {
            self.raise_first();
        }
    }

    #[track_caller]
    #[cold]
    fn raise_first(&self) {
        let mut interrupts = self.interrupts.take();
        let first = interrupts.remove(0);
        self.interrupts.set(interrupts);
        first.raise();
    }

    /// Makes sure that it has a stack when it is switched to for the first time.
    #[inline]
    pub(crate) fn reserve_stack(&self) -> Result<(), StackError> {
        // SAFETY: a record's greenlet is alive while it can be run.
        let block = unsafe { self.core.as_ref() };
        if block.phase.get() == Phase::Unstarted { life::reserve_stack(block).map(drop) } else { Ok(()) }
    }

    /// It was to run, and there is no stack for it.
    #[cold]
    pub(crate) fn cannot_start(&self, error: SwitchError) {
        match self.on_cannot_start.take() {
            // SAFETY: the owner was set together with the call, and lives as long as this record.
            Some((owner, call)) => unsafe { call(self, owner, error) },
            None => unreachable!("a guest has a stack: {error}"),
        }
    }
}
