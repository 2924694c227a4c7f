//! The handlers that a program has installed, as it is shown them.

use std::ffi::{c_int, c_void};
use std::io::Error;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use crate::signals::{RESTARTING, action, count_address, handled, install, is_ended_by, raise};

fn installed(signal: c_int) -> libc::sigaction {
    let mut action = action(0, 0);
    assert_eq!(unsafe { libc::sigaction(signal, ptr::null(), &mut action) }, 0);
    action
}

#[test]
fn a_program_is_shown_the_handlers_that_it_has_installed() {
    static SENDER: AtomicI32 = AtomicI32::new(0);
    extern "C" fn note_sender(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        assert!(!context.is_null());
        SENDER.store(unsafe { (*info).si_pid() }, Ordering::Relaxed);
    }
    super::isolated("installed::a_program_is_shown_the_handlers_that_it_has_installed", || {
        let (count, note_sender) = (count_address(), note_sender as *const () as usize);
        let signal = libc::SIGUSR1;
        install(signal, libc::SA_NODEFER);
        greenlet_monkey::patch_all().unwrap();
        let shown = installed(signal);
        assert_eq!((shown.sa_sigaction, shown.sa_flags & libc::SA_SIGINFO), (count, 0));
        assert_ne!(shown.sa_flags & libc::SA_NODEFER, 0);

        let (new, mut old) = (action(note_sender, libc::SA_SIGINFO | libc::SA_RESTART), action(0, 0));
        assert_eq!(unsafe { libc::sigaction(signal, &new, &mut old) }, 0);
        assert_eq!((old.sa_sigaction, old.sa_flags & libc::SA_SIGINFO), (count, 0));
        let shown = installed(signal);
        assert_eq!(shown.sa_sigaction, note_sender);
        assert_eq!(shown.sa_flags & new.sa_flags, new.sa_flags);
        unsafe { libc::raise(signal) };
        assert_eq!(SENDER.load(Ordering::Relaxed), std::process::id() as i32);

        // What was shown may be put back.
        assert_eq!(unsafe { libc::sigaction(signal, &old, ptr::null_mut()) }, 0);
        raise(signal);
        assert_eq!(unsafe { libc::signal(signal, libc::SIG_IGN) }, count);
        assert_eq!(unsafe { libc::signal(signal, libc::SIG_DFL) }, libc::SIG_IGN);
        assert_eq!(installed(signal).sa_sigaction, libc::SIG_DFL);
        assert_eq!(unsafe { libc::signal(libc::SIGKILL, count) }, libc::SIG_ERR);
        assert_eq!(unsafe { libc::signal(1000, count) }, libc::SIG_ERR);
        assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EINVAL));

        install(signal, libc::SA_RESETHAND);
        raise(signal);
        assert_eq!(installed(signal).sa_sigaction, libc::SIG_DFL);
    });
}

unsafe extern "C" {
    fn siginterrupt(signal: c_int, interrupt: c_int) -> c_int;
    fn sigset(signal: c_int, disposition: libc::sighandler_t) -> libc::sighandler_t;
}

#[test]
fn sigset_installs_and_holds_and_shows_as_ever() {
    const SIG_HOLD: libc::sighandler_t = 2;
    super::isolated("installed::sigset_installs_and_holds_and_shows_as_ever", || {
        greenlet_monkey::patch_all().unwrap();
        let (count, signal) = (count_address(), libc::SIGUSR1);
        assert_eq!(unsafe { sigset(signal, count) }, libc::SIG_DFL);
        assert!(is_ended_by(RESTARTING[0].1, || raise(signal)));
        assert_eq!(unsafe { sigset(signal, SIG_HOLD) }, count);
        let before = handled();
        unsafe { libc::raise(signal) };
        assert_eq!(handled(), before, "it is blocked");
        assert_eq!(unsafe { sigset(signal, count) }, SIG_HOLD);
        assert_eq!(handled(), before + 1, "it came when it was not any more");
        assert_eq!(unsafe { sigset(signal, libc::SIG_DFL) }, count);
        assert_eq!(unsafe { sigset(1000, count) }, libc::SIG_ERR);
    });
}

#[test]
fn what_signal_installs_restarts_calls_unless_siginterrupt_says_otherwise() {
    super::isolated(
        "installed::what_signal_installs_restarts_calls_unless_siginterrupt_says_otherwise",
        || {
            greenlet_monkey::patch_all().unwrap();
            let count = count_address();
            let read = RESTARTING[0].1;
            unsafe { libc::signal(libc::SIGUSR1, count) };
            assert!(!is_ended_by(read, || raise(libc::SIGUSR1)));
            assert_eq!(unsafe { siginterrupt(libc::SIGUSR1, 1) }, 0);
            assert!(is_ended_by(read, || raise(libc::SIGUSR1)));
            unsafe { libc::signal(libc::SIGUSR1, count) };
            assert!(is_ended_by(read, || raise(libc::SIGUSR1)), "it is remembered");
            assert_eq!(unsafe { siginterrupt(libc::SIGUSR1, 0) }, 0);
            assert!(!is_ended_by(read, || raise(libc::SIGUSR1)));
            // Also of one that ends no call.
            assert_eq!(unsafe { siginterrupt(libc::SIGPROF, 1) }, 0);
            unsafe { libc::signal(libc::SIGPROF, count) };
            assert_eq!(installed(libc::SIGPROF).sa_flags & libc::SA_RESTART, 0);
        },
    );
}

/// A child of `vfork` shares its parent's memory, but not its handlers.
#[test]
fn what_a_child_does_to_its_handlers_is_nothing_to_its_parents() {
    super::isolated("installed::what_a_child_does_to_its_handlers_is_nothing_to_its_parents", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        // A thread without a hub, where it is one.
        let child = thread::spawn(|| unsafe {
            #[expect(deprecated, reason = "other programs use it")]
            let child = libc::vfork();
            if child == 0 {
                libc::signal(libc::SIGUSR1, libc::SIG_DFL);
                libc::_exit(0);
            }
            child
        });
        assert!(child.join().unwrap() > 0);
        assert!(Command::new("true").status().unwrap().success());
        assert!(is_ended_by(RESTARTING[0].1, || raise(libc::SIGUSR1)));
    });
}
