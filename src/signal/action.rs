//! What the system does with a signal while somebody here listens to it: it is counted.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::bells;
use crate::lock::lock;

/// No system has more signals.
const SIGNALS: usize = 129;

/// How often each signal has come.
static COUNTS: [AtomicU32; SIGNALS] = [const { AtomicU32::new(0) }; SIGNALS];

/// The signals that somebody listens to.
static TAKEN: Mutex<BTreeMap<libc::c_int, Taken>> = Mutex::new(BTreeMap::new());

struct Taken {
    listeners: usize,
    before: libc::sigaction,
}

/// As long as it lives, a signal is counted in place of what it did before.
pub(super) struct Counted(libc::c_int);

/// How often a signal has come.
pub(super) fn count(signal: libc::c_int) -> u32 {
    usize::try_from(signal).ok().and_then(|n| COUNTS.get(n)).map_or(0, |count| count.load(Ordering::SeqCst))
}

impl Counted {
    pub(super) fn new(signal: libc::c_int) -> io::Result<Self> {
        // Their cause is there again when the handler returns.
        if matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP) {
            let message = "a signal for an error of the program itself cannot be waited for";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut taken = taken();
        if let Some(entry) = taken.get_mut(&signal) {
            entry.listeners += 1;
        } else {
            // SAFETY: all zeroes is a valid action.
            let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            // One signal at a time: the stack that std makes for them may have no room for more.
            // SAFETY: writes the set.
            unsafe { libc::sigfillset(&mut action.sa_mask) };
            action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
            // On the alternate stack: a greenlet's own may be small.
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            // SAFETY: the handler does only what a handler may.
            let before = unsafe { set_action(signal, &action) }?;
            taken.insert(signal, Taken { listeners: 1, before });
        }
        Ok(Self(signal))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = taken();
        let Some(entry) = taken.get_mut(&self.0) else { return };
        entry.listeners -= 1;
        if entry.listeners == 0 {
            // SAFETY: this was the action before, so its handler, if it has one, can be called. What was
            // allowed then is allowed now.
            let _ = unsafe { set_action(self.0, &entry.before) };
            taken.remove(&self.0);
        }
    }
}

fn taken() -> MutexGuard<'static, BTreeMap<libc::c_int, Taken>> {
    lock(&TAKEN)
}

/// Sets what a signal does; returns what it did.
///
/// # Safety
///
/// A handler in the action does only what a signal handler may.
unsafe fn set_action(signal: libc::c_int, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: there is room for the former action.
    match unsafe { libc::sigaction(signal, ptr::from_ref(action), before.as_mut_ptr()) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: written by the call that succeeded.
        _ => Ok(unsafe { before.assume_init() }),
    }
}

/// Runs on any thread, and may have interrupted anything.
extern "C" fn on_signal(signal: libc::c_int) {
    let errno = Errno::save();
    if let Some(count) = COUNTS.get(signal as usize) {
        count.fetch_add(1, Ordering::SeqCst);
        bells::ring_all();
    }
    errno.restore();
}

/// What the interrupted code will find unchanged.
struct Errno(libc::c_int);

impl Errno {
    fn save() -> Self {
        // SAFETY: the location is the thread's own.
        Self(unsafe { *errno_location() })
    }

    fn restore(self) {
        // SAFETY: the location is the thread's own.
        unsafe { *errno_location() = self.0 };
    }
}

fn errno_location() -> *mut libc::c_int {
    // SAFETY: takes nothing.
    unsafe {
        #[cfg(target_os = "linux")]
        return libc::__errno_location();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "openbsd", target_os = "netbsd"))]
        return libc::__errno();
    }
}
