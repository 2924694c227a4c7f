//! Values of keys (`pthread_setspecific`), which have destructors that a thread's end runs.

use std::ptr;

use super::glibc::{Glibc, KEY_LEVELS, KEYS_A_LEVEL, KeyData, word};

/// So often destructors may set keys anew, and these are called, too (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: usize = 4;

/// Calls the destructors of what keys are set to in the block, and forgets it all.
///
/// # Safety
///
/// The block is in force.
pub(super) unsafe fn end(glibc: &Glibc, base: *mut u8) {
    // SAFETY: the caller's word.
    unsafe {
        let _ = (0..ROUNDS).any(|_| !call_destructors(glibc, base));
        let first = base.offset(glibc.first_level);
        first.cast::<[KeyData; KEYS_A_LEVEL]>().write([[0; 2]; _]);
        for place in level_places(glibc).skip(1) {
            // The library has allocated it when a key was set.
            let level = base.offset(place).cast::<*mut libc::c_void>().replace(ptr::null_mut());
            libc::free(level);
        }
    }
}

/// The places of the pointers to levels.
fn level_places(glibc: &Glibc) -> impl Iterator<Item = isize> {
    let first = glibc.key_levels;
    (0..KEY_LEVELS).map(move |level| first.wrapping_add_unsigned(level * size_of::<usize>()))
}

/// Calls the destructors of all that is set. Says whether there was anything.
///
/// # Safety
///
/// As for [`end`].
unsafe fn call_destructors(glibc: &Glibc, base: *mut u8) -> bool {
    let mut found = false;
    for (level, place) in level_places(glibc).enumerate() {
        // SAFETY: a level is there or null.
        let data = unsafe { ptr::with_exposed_provenance_mut::<KeyData>(word(base, place)) };
        if data.is_null() {
            continue;
        }
        for index in 0..KEYS_A_LEVEL {
            // SAFETY: levels have so many entries, and the process so many keys.
            let (value, key) = unsafe {
                let [sequence, value] = data.add(index).read();
                let key = &*glibc.keys.add(level * KEYS_A_LEVEL + index);
                (if sequence == key.sequence { value } else { 0 }, key)
            };
            if value == 0 {
                continue;
            }
            found = true;
            // SAFETY: as above. The destructor is called as the library would do.
            unsafe {
                data.add(index).write([0, 0]);
                if let Some(destructor) = key.destructor {
                    destructor(ptr::with_exposed_provenance_mut(value));
                }
            }
        }
    }
    found
}
