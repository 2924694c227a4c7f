//! Systems where nothing is taken over.

use crate::patch::Why;
use crate::{Part, Patch, Unsupported};

pub(crate) fn prepare(_: Patch) -> Result<(), Unsupported> {
    Err(Unsupported(Why::System))
}

pub(crate) fn take_over_what_is_there(_: Patch) {}

pub(crate) fn symbols(_: Part) -> &'static [&'static [&'static str]] {
    &[]
}
