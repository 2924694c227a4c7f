//! The report of a stack overflow.
//!
//! A signal handler on an alternate stack recognises a fault in the guard page of the stack that
//! runs, names the greenlet and aborts. Every other fault goes to the handler that was there
//! before, so std's own report for ordinary threads keeps working.
//!
//! The handler is process-wide state, so it is installed when the first greenlet-using thread
//! appears and not before. It allocates nothing and takes no lock.

use std::fmt::{self, Write};
use std::mem;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::{Stack, page_size};

/// What runs on the current thread, for the report.
pub(crate) struct Running {
    pub(crate) stack: Stack,
    pub(crate) id: u64,
    pub(crate) name: Option<NonNull<str>>,
}

/// Tells what runs on the thread that a signal has interrupted.
type Describe = fn() -> Option<Running>;

/// The handlers that were there before, and the way to know what runs.
struct Installed {
    segv: libc::sigaction,
    bus: libc::sigaction,
    describe: Describe,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Makes overflows on this thread's greenlets reportable for as long as the guard lives.
pub(crate) fn watch_thread(describe: Describe) -> Option<AlternateStack> {
    INSTALLED.get_or_init(|| {
        // The first call asks for nothing but the old handlers: the new one must find them when
        // it runs.
        let old =
            Installed { segv: current_action(libc::SIGSEGV), bus: current_action(libc::SIGBUS), describe };
        install(libc::SIGSEGV);
        install(libc::SIGBUS);
        old
    });
    AlternateStack::unless_present()
}

fn current_action(signal: libc::c_int) -> libc::sigaction {
    // SAFETY: all zeroes is a valid action; the call only reads the present one into it.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action);
        action
    }
}

fn install(signal: libc::c_int) {
    // SAFETY: all zeroes is a valid action with an empty mask; the handler keeps to what signal
    // handlers may do.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

unsafe extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // A fault between the installation and the end of `get_or_init` finds nothing, and is taken
    // as if no handler had been there.
    let installed = INSTALLED.get();
    // SAFETY: the kernel passes valid information.
    let address = unsafe { (*info).si_addr() }.addr();
    if let Some(running) = installed.and_then(|installed| (installed.describe)())
        && (running.stack.guard()..running.stack.guard() + page_size()).contains(&address)
    {
        running.report();
        // SAFETY: ends the process.
        unsafe { libc::abort() };
    }
    let previous =
        installed.map(|installed| if signal == libc::SIGSEGV { &installed.segv } else { &installed.bus });
    // SAFETY: the arguments are those of this call.
    unsafe { pass_on(previous, signal, info, context) };
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
) {
    match previous {
        Some(action) if !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
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
        // The instruction faults again when this returns, and then ends the process.
        // SAFETY: all zeroes is the default action.
        _ => unsafe {
            let default: libc::sigaction = mem::zeroed();
            libc::sigaction(signal, &default, ptr::null_mut());
        },
    }
}

impl Running {
    fn report(&self) {
        let kib = self.stack.size() / 1024;
        let mut text = Text::default();
        // A text that does not fit is cut.
        let _ = write!(text, "\ngreenlet {}", self.id);
        if let Some(name) = self.name {
            // SAFETY: the name belongs to the greenlet that runs.
            let _ = write!(text, " \"{}\"", unsafe { name.as_ref() });
        }
        let _ = write!(
            text,
            " has overflowed its stack of {kib} KiB.\nGive it more with \
             Greenlet::builder().stack_size({} * 1024).\nAborting.\n",
            2 * kib
        );
        // SAFETY: writes memory of our own. A failure cannot be told to anybody.
        unsafe { libc::write(libc::STDERR_FILENO, text.bytes.as_ptr().cast(), text.len) };
    }
}

/// Text without allocation.
struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        Ok(())
    }
}

/// A signal stack for a thread that has none, such as one that std did not start.
pub(crate) struct AlternateStack {
    base: NonNull<libc::c_void>,
}

/// Room for the handler and for the registers of any processor.
const ALTERNATE_SIZE: usize = 64 * 1024;

impl AlternateStack {
    fn unless_present() -> Option<Self> {
        // SAFETY: reads the present setting; maps fresh memory; sets it for this thread.
        unsafe {
            let mut present: libc::stack_t = mem::zeroed();
            if libc::sigaltstack(ptr::null(), &mut present) != 0 || present.ss_flags & libc::SS_DISABLE == 0 {
                return None;
            }
            let (protection, flags) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let base = libc::mmap(ptr::null_mut(), ALTERNATE_SIZE, protection, flags, -1, 0);
            if base == libc::MAP_FAILED {
                // Without it an overflow ends the process all the same, only silently.
                return None;
            }
            let stack = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: ALTERNATE_SIZE };
            libc::sigaltstack(&stack, ptr::null_mut());
            NonNull::new(base).map(|base| Self { base })
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own. Where it is still this thread's signal stack, it
        // is taken out of use first.
        unsafe {
            let mut present: libc::stack_t = mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut present);
            if present.ss_sp == self.base.as_ptr() {
                let disabled = libc::stack_t {
                    ss_sp: ptr::null_mut(),
                    ss_flags: libc::SS_DISABLE,
                    ss_size: ALTERNATE_SIZE,
                };
                libc::sigaltstack(&disabled, ptr::null_mut());
            }
            libc::munmap(self.base.as_ptr(), ALTERNATE_SIZE);
        }
    }
}
