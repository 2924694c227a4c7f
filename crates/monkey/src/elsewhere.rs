//! Systems where nothing is taken over.

use crate::{Part, Unsupported};

pub(crate) fn prepare() -> Result<(), Unsupported> {
    Err(Unsupported)
}

pub(crate) fn symbols(_: Part) -> &'static [&'static [&'static str]] {
    &[]
}
