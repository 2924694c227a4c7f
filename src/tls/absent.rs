//! Where there is no thread-local storage but the thread's: nothing to be made, and nothing to be done
//! with it.

use super::Anchor;
use super::error::{OwnTlsError, Reason};
use crate::arch::{Continuation, Message, OnTarget};

/// There is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {}

/// There is none that could be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {}

/// Of nothing.
#[derive(Default)]
pub(crate) struct Pool;

/// Says that there is no such thing here.
pub(crate) fn probe() -> Result<(), OwnTlsError> {
    Err(Reason::Target.into())
}

impl Base {
    pub(crate) fn in_force() -> Self {
        nobody_probed()
    }
}

impl Block {
    pub(crate) fn base(self) -> Base {
        match self {}
    }

    pub(crate) fn anchor(self) -> *const () {
        match self {}
    }

    pub(crate) fn end_user(self) {
        match self {}
    }
}

impl Pool {
    pub(crate) fn take(&self, _: Anchor, _: impl FnOnce(*const ())) -> Block {
        nobody_probed()
    }

    pub(crate) unsafe fn give_back(&self, block: Block) {
        match block {}
    }
}

fn nobody_probed() -> ! {
    unreachable!("who wants a block has probed for it")
}

pub(crate) unsafe fn on_base<F: FnOnce() -> R, R>(base: Base, _: F) -> R {
    match base {}
}

pub(crate) unsafe fn switch(_: &Continuation, _: &Continuation, _: Message, base: Base) -> Message {
    match base {}
}

pub(crate) unsafe fn switch_call(
    _: &Continuation,
    _: &Continuation,
    _: Message,
    _: OnTarget,
    base: Base,
) -> Message {
    match base {}
}

pub(crate) unsafe fn resume_call(_: &Continuation, _: Message, _: OnTarget, base: Base) -> ! {
    match base {}
}
