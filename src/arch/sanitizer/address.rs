//! AddressSanitizer.
//!
//! Each switch is announced before and confirmed after it, by the two calls that the runtime has for
//! that. In between the runtime keeps the fake stack of who has left in its place, and who lands
//! brings its own.
//!
//! The fake stack of one that ends goes to whoever is continued, as a *spare* for the next one who has
//! none yet: so who looks at locals of the dead is found out for some time. Or as a *relic*, if the dead
//! was left in the midst of its functions, because the last message stands on its stack: that is good
//! for nothing more once the message was read, and destroyed at the next switch.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

// compiler-rt: sanitizer/common_interface_defs.h and sanitizer/asan_interface.h.
unsafe extern "C" {
    /// Announces a switch to the stack at `bottom`. The fake stack in use is stored in `save`, or
    /// destroyed if that is null.
    fn __sanitizer_start_switch_fiber(save: *mut *mut c_void, bottom: *const c_void, size: usize);
    /// Confirms it, on the new stack, which is used together with the fake stack `saved`; tells what
    /// stack was left.
    fn __sanitizer_finish_switch_fiber(
        saved: *mut c_void,
        bottom_left: *mut *const c_void,
        size_left: *mut usize,
    );
    /// Lets go of all frames of the stack in use.
    fn __asan_handle_no_return();
    /// Takes back what frames have marked in this memory.
    fn __asan_unpoison_memory_region(begin: *const c_void, size: usize);
    /// Finds the frame of a fake stack that an address is in, or returns null.
    fn __asan_addr_is_in_fake_stack(
        fake_stack: *mut c_void,
        address: *const c_void,
        begin: *mut *const c_void,
        end: *mut *const c_void,
    ) -> *mut c_void;
    /// What this memory points to is not leaked.
    fn __lsan_register_root_region(begin: *const c_void, size: usize);
}

pub(in crate::arch) struct Shadow {
    bounds: Cell<Bounds>,
    /// Its fake stack, while it is suspended; null if it has none (yet).
    fake_stack: Cell<*mut c_void>,
    /// A switch to or from it was announced that it has not confirmed.
    away: Cell<bool>,
    /// A fake stack from which all functions have returned.
    spare: Cell<*mut c_void>,
    /// One from which nobody will return.
    relic: Cell<*mut c_void>,
}

#[derive(Clone, Copy)]
struct Bounds {
    bottom: *const c_void,
    size: usize,
}

impl Bounds {
    const UNKNOWN: Self = Self { bottom: ptr::null(), size: 0 };

    fn between(low: usize, top: NonNull<u8>) -> Self {
        Self { bottom: ptr::without_provenance(low), size: top.addr().get() - low }
    }
}

impl Bounds {
    /// Has the leak checker look here for pointers to what is not leaked.
    fn look_for_owners(self) {
        // SAFETY: the runtime looks only at what is still mapped.
        unsafe { __lsan_register_root_region(self.bottom, self.size) };
    }
}

impl Shadow {
    pub(in crate::arch) const fn new() -> Self {
        Self {
            bounds: Cell::new(Bounds::UNKNOWN),
            fake_stack: Cell::new(ptr::null_mut()),
            away: Cell::new(false),
            spare: Cell::new(ptr::null_mut()),
            relic: Cell::new(ptr::null_mut()),
        }
    }

    pub(in crate::arch) fn move_to(&self, low: usize, top: NonNull<u8>) {
        self.bounds.set(Bounds::between(low, top));
        self.fake_stack.set(ptr::null_mut());
        self.away.set(true);
    }

    pub(in crate::arch) fn leave(&self, to: &Self) {
        // Who runs may be on a stack that was entered since.
        self.bounds.set(look_aside(ptr::null_mut()));
        bury(&self.relic);
        if to.fake_stack.get().is_null() {
            to.fake_stack.swap(&self.spare);
        }
        self.away.set(true);
        let Bounds { bottom, size } = to.bounds.get();
        // SAFETY: the switch follows at once.
        unsafe { __sanitizer_start_switch_fiber(self.fake_stack.as_ptr(), bottom, size) };
    }

    pub(in crate::arch) fn succeed(&self) {
        let heir = if self.fake_stack.get().is_null() { &self.fake_stack } else { &self.spare };
        bury(heir);
        let Bounds { bottom, size } = self.bounds.get();
        // SAFETY: the switch follows as soon as this function's callers have returned.
        unsafe { __sanitizer_start_switch_fiber(heir.as_ptr(), bottom, size) };
    }

    pub(in crate::arch) fn interrupt(&self) {
        bury(&self.relic);
        let Bounds { bottom, size } = self.bounds.get();
        // SAFETY: the switch follows at once. Nobody returns to the frames of this stack, and the next
        // one to use it must not find it as they have marked it.
        unsafe {
            __asan_handle_no_return();
            __sanitizer_start_switch_fiber(self.relic.as_ptr(), bottom, size);
        }
    }

    pub(in crate::arch) fn landed(&self) {
        if self.away.replace(false) {
            // SAFETY: a switch to this stack was announced, and this is the fake stack that it was
            // left with.
            unsafe {
                __sanitizer_finish_switch_fiber(self.fake_stack.get(), ptr::null_mut(), ptr::null_mut());
            }
        }
    }

    /// The leak checker looks at a thread's stack in use, and not at others unless it is told to.
    ///
    /// # Safety
    ///
    /// It is suspended at `stack_pointer`.
    pub(in crate::arch) unsafe fn leak(&self, stack_pointer: *const u8) {
        let Bounds { bottom, size } = self.bounds.get();
        let used = Bounds { bottom: stack_pointer.cast(), size: bottom.addr() + size - stack_pointer.addr() };
        used.look_for_owners();
        // SAFETY: this part of a stack is there as long as it is suspended. A frame that has its
        // locals elsewhere holds a pointer to them.
        unsafe {
            __asan_unpoison_memory_region(used.bottom, used.size);
            for place in 0..used.size / size_of::<usize>() {
                let mut locals = Bounds::UNKNOWN;
                let mut end = ptr::null();
                let word = used.bottom.cast::<*const c_void>().add(place).read();
                let fake_stack = self.fake_stack.get();
                if !__asan_addr_is_in_fake_stack(fake_stack, word, &mut locals.bottom, &mut end).is_null() {
                    locals.size = end.addr() - locals.bottom.addr();
                    locals.look_for_owners();
                }
            }
        }
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        bury(&self.spare);
        bury(&self.relic);
    }
}

/// Destroys a fake stack that nobody needs, if there is one.
fn bury(fake_stack: &Cell<*mut c_void>) {
    let unused = fake_stack.replace(ptr::null_mut());
    if !unused.is_null() {
        look_aside(unused);
    }
}

/// Acts as if this stack were left for one that uses the fake stack `unused`, and as if that one ended:
/// the only way to destroy a fake stack. Tells what stack this is.
fn look_aside(unused: *mut c_void) -> Bounds {
    let Bounds { mut bottom, mut size } = Bounds::UNKNOWN;
    let mut own = ptr::null_mut();
    // SAFETY: nothing runs in between, and in the end this stack is in use again, with its fake stack.
    unsafe {
        __sanitizer_start_switch_fiber(&mut own, bottom, size);
        __sanitizer_finish_switch_fiber(unused, &mut bottom, &mut size);
        __sanitizer_start_switch_fiber(ptr::null_mut(), bottom, size);
        __sanitizer_finish_switch_fiber(own, ptr::null_mut(), ptr::null_mut());
    }
    Bounds { bottom, size }
}
