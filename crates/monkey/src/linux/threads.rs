//! Waiting for the end of a thread, which the kernel tells glibc and nobody else: it is looked for again and
//! again, at first every millisecond.

use std::ffi::{c_int, c_void};
use std::time::Duration;

use greenlet::hub::embed;
use libc::pthread_t;

use super::call::nap;
use super::take_over::take_over;
use super::time::after;
use crate::Part;

take_over! { Part::Sync =>
    fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
        ours: join(thread, result).unwrap_or_else(|| match NEXT.address() {
            Some(next) => {
                let next: unsafe extern "C" fn(pthread_t, *mut *mut c_void) -> c_int = std::mem::transmute(next);
                next(thread, result)
            }
            None => libc::ENOSYS,
        }),
        plain: libc::ENOSYS,
    }
}

unsafe extern "C" {
    fn pthread_tryjoin_np(thread: pthread_t, result: *mut *mut c_void) -> c_int;
}

/// Joins as soon as the thread has ended, whoever is killed meanwhile; `None` where nobody can wait.
///
/// # Safety
///
/// As `pthread_join`.
unsafe fn join(thread: pthread_t, result: *mut *mut c_void) -> Option<c_int> {
    // SAFETY: asks who this is.
    if thread == unsafe { libc::pthread_self() } {
        return Some(libc::EDEADLK);
    }
    let mut pause = 1;
    loop {
        // SAFETY: the caller's word.
        let answer = unsafe { pthread_tryjoin_np(thread, result) };
        if answer != libc::EBUSY {
            return Some(answer);
        }
        if !embed::can_wait() {
            return None;
        }
        nap(Part::Sync, after(Duration::from_millis(pause)));
        pause = (pause * 2).min(16);
    }
}
