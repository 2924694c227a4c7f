//! Handlers of signals, and what they do to the calls that greenlets are parked in: end them with `EINTR`, as they
//! would end a blocking call of the thread.
//!
//! The kernel is given a handler of ours in the place of the program's. It leaves a note for the thread's hub
//! and calls the program's, which is kept in a table. A program that asks for its handler is shown its own.
//! Nothing here takes a lock: a handler may install another one. Of two threads that install for one signal at
//! the same time, one's function may stay with the other's flags.

use std::ffi::{c_int, c_void};
use std::mem;
use std::pin::pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use greenlet::hub::embed::{self, OnSignal, Sleeper, until_signal};
use libc::{SIG_DFL, SIG_ERR, SIG_IGN, sigaction as Action, sighandler_t, siginfo_t};

use super::call::{CANCELED, failure, parked, yield_now};
use super::next::Next;
use super::raw::{answer_int, call, errno, error, set_errno};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Signals, true =>
    fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
        ours: install(signal, new, old),
        plain: answer_int(error(libc::ENOSYS)),
    }

    fn __sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
        ours: install(signal, new, old),
        plain: answer_int(error(libc::ENOSYS)),
    }

    fn signal(signal: c_int, function: sighandler_t) -> sighandler_t {
        ours: install_simply(signal, function, Style::Bsd),
        plain: SIG_ERR,
    }

    fn bsd_signal(signal: c_int, function: sighandler_t) -> sighandler_t {
        ours: install_simply(signal, function, Style::Bsd),
        plain: SIG_ERR,
    }

    fn ssignal(signal: c_int, function: sighandler_t) -> sighandler_t {
        ours: install_simply(signal, function, Style::Bsd),
        plain: SIG_ERR,
    }

    fn __sysv_signal(signal: c_int, function: sighandler_t) -> sighandler_t {
        ours: install_simply(signal, function, Style::SystemV),
        plain: SIG_ERR,
    }

    fn sysv_signal(signal: c_int, function: sighandler_t) -> sighandler_t {
        ours: install_simply(signal, function, Style::SystemV),
        plain: SIG_ERR,
    }

    fn sigset(signal: c_int, disposition: sighandler_t) -> sighandler_t {
        ours: install_unblocked(signal, disposition),
        plain: SIG_ERR,
    }

    fn siginterrupt(signal: c_int, interrupt: c_int) -> c_int {
        ours: set_restart(signal, interrupt == 0),
        plain: answer_int(error(libc::ENOSYS)),
    }

    fn pause() -> c_int {
        ours: answer_int(wait_for_a_signal()),
        plain: answer_int(pause_plainly()),
    }
}

/// What a program has installed, where the kernel has [`handle`].
struct Handler {
    function: AtomicUsize,
    flags: AtomicI32,
}

const COUNT: usize = 65;

/// By the number of the signal.
static HANDLERS: [Handler; COUNT] =
    [const { Handler { function: AtomicUsize::new(SIG_DFL), flags: AtomicI32::new(0) } }; COUNT];

/// Those that `siginterrupt` has said are to interrupt calls if `signal` installs their handlers.
static INTERRUPTING: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

/// What `sigset` says of a signal that is blocked (`SIG_HOLD`).
const SIG_HOLD: sighandler_t = 2;

/// How `signal` is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// The handler stays, the signal is blocked meanwhile, and calls are begun anew.
    Bsd,
    /// None of that.
    SystemV,
}

/// The place of a signal whose handler may end a call. Not of those that the running code has caused itself, or
/// that tell it of the processor's time, which nobody who waits uses; nor of those that are libc's own, or have
/// no handlers.
fn handler_of(signal: c_int) -> Option<&'static Handler> {
    let others = matches!(
        signal,
        libc::SIGSEGV
            | libc::SIGBUS
            | libc::SIGFPE
            | libc::SIGILL
            | libc::SIGTRAP
            | libc::SIGSYS
            | libc::SIGABRT
            | libc::SIGPIPE
            | libc::SIGXFSZ
            | libc::SIGXCPU
            | libc::SIGPROF
            | libc::SIGVTALRM
            | libc::SIGKILL
            | libc::SIGSTOP
            | 0
            | 32
            | 33
    );
    of_signal(&HANDLERS, signal).filter(|_| !others)
}

fn of_signal<X>(all: &'static [X; COUNT], signal: c_int) -> Option<&'static X> {
    all.get(usize::try_from(signal).ok()?)
}

/// libc's `sigaction`.
unsafe fn next_sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    static NEXT: Next = Next::of(c"sigaction");
    let Some(next) = NEXT.address() else { return answer_int(error(libc::ENOSYS)) };
    // SAFETY: the next definition of a symbol has its type, and the arguments are the caller's.
    unsafe {
        let next: unsafe extern "C" fn(c_int, *const Action, *mut Action) -> c_int = mem::transmute(next);
        next(signal, new, old)
    }
}

/// What the kernel calls.
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(handler) = handler_of(signal) else { return };
    let saved = errno();
    embed::note_signal(handler.flags.load(Ordering::Relaxed) & libc::SA_RESTART != 0);
    set_errno(saved);
    let function = handler.function.load(Ordering::Relaxed);
    if !is_program_function(function) {
        // The program has got hold of this function, and installed it by a system call of its own.
        return;
    }
    // SAFETY: it was installed as a handler of this signal. One that takes the number only does not look for
    // the rest, which is in registers.
    unsafe {
        let function: unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = mem::transmute(function);
        embed::while_handling(|| function(signal, info, context));
    }
}

/// What [`handle`] is known by. The function by itself may have more than one address: small ones are compiled
/// again wherever they are named.
static HANDLE: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = handle;

fn handle_address() -> sighandler_t {
    HANDLE as *const () as sighandler_t
}

fn is_program_function(function: sighandler_t) -> bool {
    function != SIG_DFL && function != SIG_IGN && function != handle_address()
}

unsafe fn install(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    let Some(handler) = handler_of(signal) else {
        // SAFETY: the arguments of a call that was taken over.
        return unsafe { next_sigaction(signal, new, old) };
    };
    let before = (handler.function.load(Ordering::Relaxed), handler.flags.load(Ordering::Relaxed));
    // SAFETY: as above.
    let wrapped = unsafe { new.as_ref() }.filter(|new| is_program_function(new.sa_sigaction)).map(|new| {
        handler.function.store(new.sa_sigaction, Ordering::Relaxed);
        handler.flags.store(new.sa_flags, Ordering::Relaxed);
        Action { sa_sigaction: handle_address(), sa_flags: new.sa_flags | libc::SA_SIGINFO, ..*new }
    });
    let new = wrapped.as_ref().map_or(new, ptr::from_ref);
    // SAFETY: as above. `handle` is fit for a handler of whatever flags, if it gets what SA_SIGINFO has.
    let result = unsafe { next_sigaction(signal, new, old) };
    // SAFETY: as above.
    let shown = unsafe { old.as_mut() }.filter(|old| result == 0 && old.sa_sigaction == handle_address());
    if let Some(shown) = shown {
        let (function, flags) = before;
        shown.sa_sigaction = function;
        shown.sa_flags = shown.sa_flags & !libc::SA_SIGINFO | flags & libc::SA_SIGINFO;
    }
    result
}

/// What is installed for a signal, as the program sees it.
fn installed(signal: c_int) -> Option<Action> {
    let mut action = action(SIG_DFL, 0);
    // SAFETY: changes a local variable.
    (unsafe { install(signal, ptr::null(), &mut action) } == 0).then_some(action)
}

/// An action with no other signals blocked.
fn action(function: sighandler_t, flags: c_int) -> Action {
    // SAFETY: of numbers zero will do, and an empty set is zero.
    let mut action: Action = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (function, flags);
    action
}

unsafe fn install_simply(signal: c_int, function: sighandler_t, style: Style) -> sighandler_t {
    let interrupts =
        || of_signal(&INTERRUPTING, signal).is_some_and(|interrupting| interrupting.load(Ordering::Relaxed));
    let mut new = match style {
        Style::Bsd if interrupts() => action(function, 0),
        Style::Bsd => action(function, libc::SA_RESTART),
        Style::SystemV => action(function, libc::SA_RESETHAND | libc::SA_NODEFER),
    };
    let mut old = action(SIG_DFL, 0);
    // SAFETY: takes and changes local variables; the function is the caller's.
    unsafe {
        if style == Style::Bsd {
            libc::sigaddset(&mut new.sa_mask, signal);
        }
        if function == SIG_ERR || install(signal, &new, &mut old) != 0 {
            set_errno(libc::EINVAL);
            return SIG_ERR;
        }
    }
    old.sa_sigaction
}

/// `sigset`, which installs what is to be done with a signal and unblocks it, or blocks it.
unsafe fn install_unblocked(signal: c_int, disposition: sighandler_t) -> sighandler_t {
    let (new, mut old) = (action(disposition, 0), action(SIG_DFL, 0));
    let (mut set, mut before) = (new.sa_mask, new.sa_mask);
    let (new, how) = match disposition {
        SIG_HOLD => (ptr::null(), libc::SIG_BLOCK),
        _ => (&raw const new, libc::SIG_UNBLOCK),
    };
    // SAFETY: takes and changes local variables; the function is the caller's.
    unsafe {
        if disposition == SIG_ERR
            || libc::sigaddset(&mut set, signal) != 0
            || install(signal, new, &mut old) != 0
            || libc::pthread_sigmask(how, &set, &mut before) != 0
        {
            set_errno(libc::EINVAL);
            return SIG_ERR;
        }
        if libc::sigismember(&before, signal) == 1 { SIG_HOLD } else { old.sa_sigaction }
    }
}

fn set_restart(signal: c_int, restarts: bool) -> c_int {
    let Some(mut action) = installed(signal) else { return -1 };
    if let Some(interrupting) = of_signal(&INTERRUPTING, signal) {
        interrupting.store(!restarts, Ordering::Relaxed);
    }
    match restarts {
        true => action.sa_flags |= libc::SA_RESTART,
        false => action.sa_flags &= !libc::SA_RESTART,
    }
    // SAFETY: what was installed, but for one flag.
    unsafe { install(signal, &action, ptr::null_mut()) }
}

/// Handlers that were installed before this part was taken over are treated as those that come.
pub(super) fn adopt() {
    for signal in 1..HANDLERS.len() as c_int {
        let Some(action) = handler_of(signal).and_then(|_| installed(signal)) else { continue };
        if is_program_function(action.sa_sigaction) {
            // SAFETY: it is installed.
            unsafe { install(signal, &action, ptr::null_mut()) };
        }
    }
}

fn wait_for_a_signal() -> isize {
    if embed::is_interrupted() {
        yield_now();
        return CANCELED;
    }
    // SAFETY: it is a local variable.
    let Some(sleeper) = (unsafe { Sleeper::new() }) else { return pause_plainly() };
    let sleeper = pin!(sleeper);
    until_signal(OnSignal::End, |signal| {
        loop {
            // Nobody else wakes it.
            let sleep = || parked(Part::Signals, || sleeper.as_ref().sleep(None));
            if let Some(error) = failure(signal.unless_come(sleep)) {
                return error;
            }
        }
    })
}

fn pause_plainly() -> isize {
    // SAFETY: of no descriptors, for ever.
    unsafe { call(libc::SYS_ppoll, [0; 6]) }
}
