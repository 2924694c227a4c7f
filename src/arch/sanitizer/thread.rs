//! ThreadSanitizer.
//!
//! It remembers for each thread what was called, and calls one such memory a *fiber*. Each continuation
//! has its own, so that a report shows who called whom on the stack at hand. What greenlets of one thread
//! do is no race: whoever lands is told to come after who has left.
//!
//! The runtime has room for few fibers. That of one who ends goes to whoever is continued, as a *spare* for
//! the next one who has none yet.
//!
//! The runtime counts the calls and returns of all functions that it sees, on the fiber in use. So what
//! changes the fiber must be inlined into what switches.

use std::cell::Cell;
use std::ffi::{c_uint, c_void};
use std::ptr::{self, NonNull};

// compiler-rt: sanitizer/tsan_interface.h; the last two are what the compiler puts into each function.
unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_create_fiber(flags: c_uint) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: c_uint);
    fn __tsan_func_entry(caller: *const c_void);
    fn __tsan_func_exit();
}

/// The switch makes the one come after the other.
const IN_ORDER: c_uint = 0;

pub(in crate::arch) struct Shadow {
    /// Null before the first switch to it or from it. A dead one's is not looked at.
    fiber: Cell<*mut c_void>,
    /// One from which all functions have returned.
    spare: Cell<*mut c_void>,
}

impl Shadow {
    pub(in crate::arch) const fn new() -> Self {
        Self { fiber: Cell::new(ptr::null_mut()), spare: Cell::new(ptr::null_mut()) }
    }

    #[inline(always)]
    pub(in crate::arch) fn move_to(&self, _low: usize, _top: NonNull<u8>) {
        self.fiber.set(ptr::null_mut());
    }

    #[inline(always)]
    pub(in crate::arch) fn leave(&self, to: &Self) {
        let target = to.prepared(&self.spare);
        // SAFETY: this is what runs, and the switch to the target follows at once.
        unsafe {
            self.fiber.set(__tsan_get_current_fiber());
            __tsan_switch_to_fiber(target, IN_ORDER);
        }
    }

    #[inline(always)]
    pub(in crate::arch) fn succeed(&self) {
        if self.fiber.get().is_null() {
            // An heir goes on with the fiber, as with the stack.
            return;
        }
        // SAFETY: the switch to the target follows as soon as the entry has returned. That return is
        // still to be told, on the new fiber: here it is told in advance, and there made up for.
        let ended = unsafe {
            let ended = __tsan_get_current_fiber();
            __tsan_func_exit();
            __tsan_switch_to_fiber(self.fiber.get(), IN_ORDER);
            __tsan_func_entry(ptr::null());
            ended
        };
        bury(&self.spare);
        self.spare.set(ended);
    }

    #[inline(always)]
    pub(in crate::arch) fn interrupt(&self) {
        let target = self.prepared(&self.spare);
        // SAFETY: the switch to the target follows before anything else is told, and nobody comes back.
        unsafe {
            let ended = __tsan_get_current_fiber();
            __tsan_switch_to_fiber(target, IN_ORDER);
            __tsan_destroy_fiber(ended);
        }
    }

    #[inline(always)]
    pub(in crate::arch) fn landed(&self) {}

    #[inline(always)]
    pub(in crate::arch) unsafe fn leak(&self, _stack_pointer: *const u8) {}

    /// Its fiber; before the first switch to it the spare one, or a new one.
    fn prepared(&self, spare: &Cell<*mut c_void>) -> *mut c_void {
        if self.fiber.get().is_null() {
            self.fiber.swap(spare);
        }
        if self.fiber.get().is_null() {
            // SAFETY: may be called at any time.
            self.fiber.set(unsafe { __tsan_create_fiber(IN_ORDER) });
        }
        self.fiber.get()
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        bury(&self.spare);
    }
}

/// Destroys a fiber that nobody needs, if there is one.
fn bury(fiber: &Cell<*mut c_void>) {
    let unused = fiber.replace(ptr::null_mut());
    if !unused.is_null() {
        // SAFETY: nobody uses it.
        unsafe { __tsan_destroy_fiber(unused) };
    }
}
