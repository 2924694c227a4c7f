//! The definition that a function of ours stands in front of.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The next definition of a symbol: libc's, or that of a library that was preloaded or is a sanitizer's.
/// Looked up once.
pub(super) struct Next {
    name: &'static CStr,
    /// Null before it is looked up.
    found: AtomicPtr<c_void>,
}

/// There is none: a static program, whose libc is what we stand in for.
const NONE: *mut c_void = ptr::without_provenance_mut(1);

impl Next {
    pub(super) const fn of(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(ptr::null_mut()) }
    }

    #[inline]
    pub(super) fn address(&self) -> Option<*mut c_void> {
        let found = self.found.load(Ordering::Relaxed);
        let found = if found.is_null() { self.look_up() } else { found };
        (found != NONE).then_some(found)
    }

    #[cold]
    fn look_up(&self) -> *mut c_void {
        let found = if cfg!(target_feature = "crt-static") {
            NONE
        } else {
            // SAFETY: the name is a C string.
            let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            if found.is_null() { NONE } else { found }
        };
        self.found.store(found, Ordering::Relaxed);
        found
    }
}
