//! Which pools a task belongs to, itself or through those who spawned it.
//!
//! This is inherited with the context, so it is known of tasks outside of a pool that a member has
//! spawned.

use std::rc::{Rc, Weak};

use super::crew::Crew;
use crate::greenlet::context::{Context, Key};

static LINEAGE: Key<Lineage> = Key::new();

/// The crews of a task and of its forebears. A weak handle keeps an address from being used again.
#[derive(Clone, Default)]
pub(super) struct Lineage(Rc<[Weak<Crew>]>);

impl Lineage {
    pub(super) fn of_current() -> Self {
        LINEAGE.get().unwrap_or_default()
    }

    pub(super) fn includes(&self, crew: &Rc<Crew>) -> bool {
        self.0.iter().any(|other| other.as_ptr() == Rc::as_ptr(crew))
    }

    /// With one more; those that are gone are left out, so that it does not grow for ever.
    fn with(&self, crew: &Rc<Crew>) -> Self {
        let alive = self.0.iter().filter(|other| other.strong_count() > 0).cloned();
        Self(alive.chain([Rc::downgrade(crew)]).collect())
    }
}

/// The context of a member whose spawner, the current greenlet, has this one.
pub(super) fn enter(context: Context, crew: &Rc<Crew>) -> Context {
    let lineage = Lineage::of_current();
    if lineage.includes(crew) { context } else { context.with(&LINEAGE, lineage.with(crew)) }
}
