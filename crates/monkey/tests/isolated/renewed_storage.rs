//! Signals that come while storage of a greenlet's own is made ready for the next one.

use std::ffi::{c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use greenlet::{Greenlet, spawn};

use super::signals;

type Visit = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;
type Iterate = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;

/// Whether the loader's modules are gone through with a signal at the end.
static RAISING: AtomicBool = AtomicBool::new(false);

/// In place of libc's. Storage that is used again is renewed so, and is in force meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C" fn dl_iterate_phdr(visit: Visit, argument: *mut c_void) -> c_int {
    let result = unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"dl_iterate_phdr".as_ptr());
        mem::transmute::<*mut c_void, Iterate>(next)(visit, argument)
    };
    if RAISING.swap(false, Ordering::Relaxed) {
        signals::raise(libc::SIGUSR1);
    }
    result
}

#[test]
fn a_signal_that_is_handled_while_storage_is_renewed_ends_calls() {
    super::isolated("renewed_storage::a_signal_that_is_handled_while_storage_is_renewed_ends_calls", || {
        greenlet_monkey::patch_all().unwrap();
        if Greenlet::<()>::builder().try_own_tls().is_err() {
            return;
        }
        signals::install(libc::SIGUSR1, 0);
        // Its storage waits for the next one.
        spawn(|| ()).join().unwrap();
        for (name, call) in [signals::RESTARTING[0], signals::ENDING[0]] {
            let task = signals::waiting(call);
            // The first one has made the reader's storage; this one makes another.
            spawn(|| ()).join().unwrap();
            RAISING.store(true, Ordering::Relaxed);
            spawn(|| ()).join().unwrap();
            assert!(!RAISING.load(Ordering::Relaxed), "storage was renewed");
            assert_eq!(task.join().unwrap(), Some(libc::EINTR), "{name}");
        }
    });
}
