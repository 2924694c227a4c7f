//! What few greenlets have, kept out of the control block.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};

use super::context::Context;
use super::local::Locals;

/// Made on first use, and kept as long as the control block.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) name: OnceCell<Box<str>>,
    pub(crate) locals: Locals,
    pub(crate) context: RefCell<Context>,
    /// What the floor above keeps here.
    pub(crate) kept: Cell<Option<Box<dyn Any>>>,
}
