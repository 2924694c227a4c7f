//! Calls of somebody else's code, in the midst of which the hub is used.
//!
//! Such code may be part of a generator's body, and be left by its yield. Then the greenlet that has called it may end
//! before it does, and even the hub: what the call needs of both stays until then.

use std::ptr::NonNull;

use super::Hub;
use crate::greenlet::counting::{Kept, keep};

/// Until dropped, the greenlet's control block stays, and so does the hub.
pub(super) struct Call {
    greenlet: Kept,
    _hub: HubKept,
}

/// Until dropped, the hub stays. To be dropped after all that refers to it.
pub(super) struct HubKept(NonNull<Hub>);

impl Hub {
    /// To be held during a call of somebody else's code, which may wait.
    pub(super) fn enter_call(&self) -> Call {
        Call { greenlet: keep(self.current().core()), _hub: self.keep_during_call() }
    }

    /// To be held during a call of somebody else's code.
    pub(super) fn keep_during_call(&self) -> HubKept {
        self.calls.set(self.calls.get() + 1);
        HubKept(NonNull::from(self))
    }

    /// Whether such calls have not ended, though every greenlet has. Then the last of them frees this hub.
    pub(super) fn is_left_to_calls(&self) -> bool {
        self.left_to_calls.set(self.calls.get() > 0);
        self.left_to_calls.get()
    }
}

impl Call {
    /// Who has made the call. It may have ended.
    pub(super) fn greenlet(&self) -> &Kept {
        &self.greenlet
    }
}

impl Drop for HubKept {
    fn drop(&mut self) {
        // SAFETY: kept.
        let hub = unsafe { self.0.as_ref() };
        hub.calls.set(hub.calls.get() - 1);
        if hub.calls.get() == 0 && hub.left_to_calls.get() {
            // SAFETY: leaked by `create`; its thread has let go of it, and this was the last call.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}
