//! What a forked child inherits and must not use.

use std::sync::Once;

use greenlet::hub::embed;

use super::futex;

/// Sees to children that are forked from now on.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is fit for a child of a process with threads: it takes no lock and allocates
        // nothing. Without it, for want of memory, a child that waits takes part in its parent's polling.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// Until the child has a hub of its own, its calls block.
unsafe extern "C" fn in_child() {
    embed::disown();
    // SAFETY: the child has this thread only, and its greenlets are the parent's.
    unsafe { futex::forget_waiters() };
}
