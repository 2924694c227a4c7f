//! What few greenlets have, kept out of the control block.

/// Made on first use.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) name: Option<Box<str>>,
}
