//! What few greenlets have, kept out of the control block.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};

use super::context::Context;
use super::local::Locals;
use super::storage::OwnStorage;
use crate::arch::FloatControl;

/// Made on first use, and kept as long as the control block.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) name: OnceCell<Box<str>>,
    pub(crate) locals: Locals,
    pub(crate) context: RefCell<Context>,
    pub(crate) float_control: Cell<OwnFloatControl>,
    pub(crate) storage: Cell<OwnStorage>,
    /// It destroys its thread-locals, and nothing that it does may unwind.
    pub(crate) may_wait_quietly: Cell<bool>,
    /// What the floor above keeps here.
    pub(crate) kept: Cell<Option<Box<dyn Any>>>,
}

/// Whether a greenlet has floating-point control words of its own.
#[derive(Clone, Copy, Default)]
pub(crate) enum OwnFloatControl {
    /// It shares those of its thread.
    #[default]
    No,
    /// It will, and takes those of whoever starts it.
    Inherited,
    /// These, while it is suspended.
    Saved(FloatControl),
}
