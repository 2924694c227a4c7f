//! The signal handler, and the one that was there before.
//!
//! For every fault but an overflow it is as if only that one were installed: it is called with the
//! signals blocked that it wants blocked, and once only if it asked for that.

use std::mem;
use std::ptr;
use std::sync::OnceLock;

use super::{Describe, Fault, context};

/// The handlers that were there before, and the way to know what runs.
struct Installed {
    segv: libc::sigaction,
    bus: libc::sigaction,
    describe: Describe,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Makes sure that the handler is in place.
pub(super) fn install(describe: Describe) {
    INSTALLED.get_or_init(|| {
        // The new handler must find the old ones when it runs, so they are asked for first.
        let old =
            Installed { segv: current_action(libc::SIGSEGV), bus: current_action(libc::SIGBUS), describe };
        replace(libc::SIGSEGV, &old.segv);
        replace(libc::SIGBUS, &old.bus);
        old
    });
}

fn current_action(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: all zeroes is a valid action; the call only reads the present one into it.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action);
        action
    }
}

fn replace(signal: libc::c_int, old: &libc::sigaction) {
    let wanted_by_the_old = old.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART);
    let action = libc::sigaction {
        sa_sigaction: on_fault as *const () as usize,
        sa_flags: libc::SA_SIGINFO | libc::SA_ONSTACK | wanted_by_the_old,
        ..*old
    };
    // SAFETY: the handler keeps to what signal handlers may do.
    unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
}

unsafe extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // A fault between the installation and the end of `get_or_init` finds nothing, and is taken
    // as if no handler had been there.
    let installed = INSTALLED.get();
    // SAFETY: the kernel passes valid information.
    let (sent, fault) = unsafe {
        let fault =
            Fault { address: (*info).si_addr().addr(), stack_pointer: context::stack_pointer(context) };
        (was_sent(&*info), fault)
    };
    if let Some(installed) = installed
        && !sent
        && let Some(overflown) = (installed.describe)(&fault)
    {
        overflown.report();
        // SAFETY: ends the process.
        unsafe { libc::abort() };
    }
    let previous =
        installed.map(|installed| if signal == libc::SIGSEGV { &installed.segv } else { &installed.bus });
    // SAFETY: the arguments are those of this call.
    unsafe { pass_on(previous, signal, info, context, sent) };
}

/// Whether somebody has sent the signal: it is no fault, and has no address.
fn was_sent(info: &libc::siginfo_t) -> bool {
    /// Faults have small positive codes. What is sent has others on Linux, and these on the BSDs.
    const SENT_ON_BSD: libc::c_int = 0x10001;
    info.si_code <= 0 || info.si_code >= SENT_ON_BSD
}

/// Does what would have happened without this file.
///
/// # Safety
///
/// The arguments are those of the signal that is being handled.
unsafe fn pass_on(
    previous: Option<&libc::sigaction>,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
    sent: bool,
) {
    match previous {
        Some(action) if !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
            if action.sa_flags & libc::SA_RESETHAND != 0 {
                set_default(signal);
            }
            // SAFETY: the action says which of the two kinds of handler it holds.
            unsafe {
                if action.sa_flags & libc::SA_SIGINFO != 0 {
                    type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                    mem::transmute::<usize, WithInfo>(action.sa_sigaction)(signal, info, context);
                } else {
                    mem::transmute::<usize, extern "C" fn(libc::c_int)>(action.sa_sigaction)(signal);
                }
            }
        }
        // Only what is sent can be ignored.
        Some(action) if sent && action.sa_sigaction == libc::SIG_IGN => {}
        _ => {
            set_default(signal);
            // A fault happens again when this returns, and then ends the process.
            if sent {
                // SAFETY: sends this thread the signal, which ends the process.
                unsafe { libc::raise(signal) };
            }
        }
    }
}

fn set_default(signal: libc::c_int) {
    // SAFETY: all zeroes is the default action.
    unsafe {
        let default: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, &default, ptr::null_mut());
    }
}
