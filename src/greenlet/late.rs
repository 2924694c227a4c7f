//! What a thread has of this crate once its thread-locals are being destroyed.
//!
//! A destructor of one of them may be the first to use a greenlet, or the first since the thread's greenlets have
//! ended. No thread-local can be told of the end of that: the value of a POSIX key is, which goes later.

use std::ptr::NonNull;
use std::sync::OnceLock;

use super::thread::Thread;

/// Has the state end after the thread-locals. Where no key can be had, it stays.
#[cold]
pub(super) fn end_late(thread: NonNull<Thread>) {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    if let Some(key) = *KEY.get_or_init(make_key) {
        // SAFETY: the key is there for good.
        unsafe { libc::pthread_setspecific(key, thread.as_ptr().cast()) };
    }
}

fn make_key() -> Option<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: the key is written where it says.
    (unsafe { libc::pthread_key_create(&mut key, Some(end)) } == 0).then_some(key)
}

unsafe extern "C" fn end(thread: *mut libc::c_void) {
    // SAFETY: what `end_late` was given, which stays until it has ended.
    unsafe { (*thread.cast::<Thread>()).end() };
}
