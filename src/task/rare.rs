//! What few tasks have, kept out of the others' way.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};

use super::ident::Ident;
use super::links::Links;
use crate::hub::TimerKey;

/// Made on first use, and kept as long as the task.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) name: OnceCell<Box<str>>,
    pub(super) links: Links,
    /// The timer that will start it.
    pub(super) start: Cell<Option<TimerKey>>,
    /// Given back at the end.
    pub(super) ident: Cell<Option<Ident>>,
    /// Dropped at the end.
    pub(super) kept: RefCell<Vec<Box<dyn Any>>>,
}
