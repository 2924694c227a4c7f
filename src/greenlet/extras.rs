//! What few greenlets have, kept out of the control block.

/// Made on first use.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) name: Option<Box<str>>,
    /// Kept for the floor above as long as the control block is.
    pub(crate) kept: Option<Box<dyn std::any::Any>>,
}
