//! Calls of somebody else's code, in the midst of which the hub is used.
//!
//! Such code may be part of a generator's body, and be left by its yield. Then the greenlet that has called it may end
//! before it does, and even the hub: what the call needs of both stays until then.

use super::Hub;
use super::one_more::OneMore;
use crate::greenlet::counting::{Kept, keep};

/// Until dropped, the greenlet's control block stays, and so does the hub.
pub(super) struct Call<'a> {
    greenlet: Kept,
    _counted: OneMore<'a>,
}

impl Hub {
    /// To be held during a call of somebody else's code.
    pub(super) fn enter_call(&self) -> Call<'_> {
        Call { greenlet: keep(self.current().core()), _counted: OneMore::of(&self.calls) }
    }

    /// Whether such a call has not ended, though every greenlet has.
    pub(super) fn is_in_calls(&self) -> bool {
        self.calls.get() > 0
    }
}

impl Call<'_> {
    /// Who has made the call. It may have ended.
    pub(super) fn greenlet(&self) -> &Kept {
        &self.greenlet
    }
}
