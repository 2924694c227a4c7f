//! Signals, which are the whole process's. Numbers are those of the statements in the studies of gevent
//! and eventlet that the scheduler is held to.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenlet::process::Command;
use greenlet::signal::{SIGCHLD, SIGCONT, SIGINT, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH, Signals, handle, wait};
use greenlet::sync::Event;
use greenlet::{TimeoutError, sleep, spawn, with_timeout, yield_now};

use crate::{isolated, passes, stderr};

const MS: Duration = Duration::from_millis(1);

/// Sends a signal to this process; whichever thread gets it.
fn send(signal: i32) {
    // SAFETY: takes no memory.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// Sends signals again and again from another thread, until dropped.
struct Sending {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sending {
    /// To the thread that sends: it has handled all of them when it ends. One to the process could still be on
    /// its way to some thread when nobody listens any more, or when the process ends and std takes the stack
    /// away that it is handled on.
    fn new(pause: Duration, signal: i32) -> Self {
        // SAFETY: takes no memory.
        Self::with(pause, move || assert_eq!(unsafe { libc::raise(signal) }, 0))
    }

    fn with(pause: Duration, send: impl Fn() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                send();
                std::thread::sleep(pause);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The address of the handler of a signal.
fn action(signal: i32) -> usize {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks, and there is room for the answer.
    unsafe {
        assert_eq!(libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()), 0);
        now.assume_init().sa_sigaction
    }
}

#[test]
fn a_greenlet_waits_for_a_signal_while_others_run() {
    passes("signals::a_greenlet_waits_for_a_signal_while_others_run", || {
        let signals = Rc::new(Signals::new([SIGUSR1, SIGUSR2]).unwrap());
        assert_eq!(signals.try_wait(), None);
        let waiter = spawn({
            let signals = signals.clone();
            move || signals.wait()
        });
        yield_now();
        sleep(MS);
        assert!(!waiter.is_finished());
        send(SIGUSR2);
        assert_eq!(waiter.join().unwrap(), SIGUSR2);
        send(SIGUSR1);
        assert_eq!(signals.wait(), SIGUSR1);
    });
}

#[test]
fn a_hub_that_sleeps_is_woken_by_a_signal_to_another_thread() {
    passes("signals::a_hub_that_sleeps_is_woken_by_a_signal_to_another_thread", || {
        let signals = Signals::new([SIGUSR1]).unwrap();
        let _sending = Sending::new(MS, SIGUSR1);
        (0..20).for_each(|_| assert_eq!(signals.wait(), SIGUSR1));
    });
}

// gevent 110, eventlet 46
#[test]
fn a_handler_runs_in_a_task_of_its_own_and_may_wait() {
    passes("signals::a_handler_runs_in_a_task_of_its_own_and_may_wait", || {
        let (begun, ended) = (Rc::new(Cell::new(0)), Rc::new(Event::new()));
        let _handler = handle(SIGUSR1, {
            let (begun, ended) = (begun.clone(), ended.clone());
            move || {
                begun.set(begun.get() + 1);
                sleep(5 * MS);
                if begun.get() == 2 {
                    ended.set();
                }
            }
        })
        .unwrap();
        send(SIGUSR1);
        while begun.get() == 0 {
            yield_now();
        }
        // The first call still waits when the second one begins.
        send(SIGUSR1);
        ended.wait();
    });
}

#[test]
fn a_handler_that_panics_is_reported_and_handles_the_next_one() {
    let case = "signals::a_handler_that_panics_is_reported_and_handles_the_next_one";
    let output = isolated(case, || {
        let calls = Rc::new(Cell::new(0));
        let _handler = handle(SIGUSR1, {
            let calls = calls.clone();
            move || {
                calls.set(calls.get() + 1);
                panic!("on purpose {}", calls.get());
            }
        })
        .unwrap();
        for call in 1..3 {
            send(SIGUSR1);
            while calls.get() < call {
                yield_now();
            }
        }
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("on purpose 2"));
}

#[test]
fn a_handler_that_was_dropped_is_called_no_more_although_others_listen() {
    passes("signals::a_handler_that_was_dropped_is_called_no_more_although_others_listen", || {
        let signals = Signals::new([SIGUSR1]).unwrap();
        let calls = Rc::new(Cell::new(0));
        let handler = handle(SIGUSR1, {
            let calls = calls.clone();
            move || calls.set(calls.get() + 1)
        })
        .unwrap();
        yield_now();
        drop(handler);
        // SAFETY: takes no memory.
        assert_eq!(unsafe { libc::raise(SIGUSR1) }, 0);
        // Its task wakes in the first round, and spawned another one for the second.
        (0..5).for_each(|_| yield_now());
        assert_eq!((calls.get(), signals.try_wait()), (0, Some(SIGUSR1)));
    });
}

#[test]
fn the_former_action_is_back_when_the_last_listener_is_gone() {
    passes("signals::the_former_action_is_back_when_the_last_listener_is_gone", || {
        extern "C" fn theirs(_: i32) {}
        let theirs = theirs as extern "C" fn(i32) as usize;
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(SIGUSR1, theirs) };
        assert_eq!((action(SIGUSR1), action(SIGWINCH)), (theirs, libc::SIG_DFL));
        let first = Signals::new([SIGUSR1, SIGWINCH]).unwrap();
        let second = handle(SIGUSR1, || ()).unwrap();
        drop(first);
        assert_ne!(action(SIGUSR1), theirs);
        assert_eq!(action(SIGWINCH), libc::SIG_DFL);
        drop(second);
        assert_eq!(action(SIGUSR1), theirs);
        drop(Signals::new([SIGUSR1]).unwrap());
        assert_eq!(action(SIGUSR1), theirs);
    });
}

#[test]
fn all_who_listen_get_a_signal_on_whichever_thread_they_are() {
    passes("signals::all_who_listen_get_a_signal_on_whichever_thread_they_are", || {
        let (tell, told) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    let both = [0, 1].map(|_| Signals::new([SIGUSR1]).unwrap());
                    tell.send(()).unwrap();
                    let tasks = both.map(|signals| spawn(move || signals.wait()));
                    assert_eq!(tasks.map(|task| task.join().unwrap()), [SIGUSR1; 2]);
                })
            })
            .collect();
        assert_eq!(told.iter().take(3).count(), 3);
        send(SIGUSR1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

// gevent 13: of an original, a program that has nothing but a handler ends with LoopExit
#[test]
fn a_program_may_wait_for_what_only_a_signal_brings() {
    passes("signals::a_program_may_wait_for_what_only_a_signal_brings", || {
        let event = Rc::new(Event::new());
        let _handler = handle(SIGUSR1, {
            let event = event.clone();
            move || event.set()
        })
        .unwrap();
        let _sending = Sending::new(5 * MS, SIGUSR1);
        event.wait();
    });
}

#[test]
fn waiting_can_be_limited_timed_out_and_killed() {
    passes("signals::waiting_can_be_limited_timed_out_and_killed", || {
        let signals = Rc::new(Signals::new([SIGUSR1]).unwrap());
        assert_eq!(signals.wait_timeout(MS), None);
        assert_eq!(with_timeout(MS, || signals.wait()), Err(TimeoutError::Elapsed));
        let waiter = spawn({
            let signals = signals.clone();
            move || signals.wait()
        });
        yield_now();
        waiter.kill().unwrap();
        assert!(waiter.join().unwrap_err().is_killed());
        send(SIGUSR1);
        assert_eq!(signals.wait(), SIGUSR1);
        let late = with_timeout(MS, || wait(SIGUSR2).unwrap());
        assert_eq!(late, Err(TimeoutError::Elapsed));
        assert_eq!(action(SIGUSR2), libc::SIG_DFL);
    });
}

#[test]
fn what_cannot_be_listened_to_is_refused() {
    passes("signals::what_cannot_be_listened_to_is_refused", || {
        for signal in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGFPE, 0, -1, 1000] {
            let error = Signals::new([SIGUSR1, signal]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{signal}");
        }
        assert_eq!(action(SIGUSR1), libc::SIG_DFL, "what came before it is undone");
    });
}

#[test]
fn a_signal_that_is_named_twice_comes_once() {
    passes("signals::a_signal_that_is_named_twice_comes_once", || {
        let signals = Signals::new([SIGUSR1, SIGUSR1]).unwrap();
        // SAFETY: takes no memory.
        assert_eq!(unsafe { libc::raise(SIGUSR1) }, 0);
        assert_eq!([signals.try_wait(), signals.try_wait()], [Some(SIGUSR1), None]);
        drop(signals);
        assert_eq!(action(SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn listeners_come_and_go_under_a_stream_of_signals() {
    passes("signals::listeners_come_and_go_under_a_stream_of_signals", || {
        // One that stays, so that the signal never does what it does by itself.
        let stays = Signals::new([SIGUSR1]).unwrap();
        let sending = [0, 1].map(|_| Sending::new(Duration::from_micros(10), SIGUSR1));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..300 {
                        let signals = Signals::new([SIGUSR1]).unwrap();
                        signals.wait();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(sending);
        assert_eq!(stays.wait(), SIGUSR1);
    });
}

/// The stack that std has given the thread for signals has room for one or two of them at a time.
#[test]
fn signals_of_many_kinds_come_one_at_a_time() {
    passes("signals::signals_of_many_kinds_come_one_at_a_time", || {
        let kinds = [SIGUSR1, SIGUSR2, SIGWINCH, SIGURG, SIGCHLD, SIGCONT];
        let _signals = Signals::new(kinds).unwrap();
        // SAFETY: the thread is there until the process ends.
        let me = unsafe { libc::pthread_self() };
        let _sending = Sending::with(Duration::from_micros(10), move || {
            // SAFETY: as above.
            kinds.iter().for_each(|kind| assert_eq!(unsafe { libc::pthread_kill(me, *kind) }, 0));
        });
        (0..50).for_each(|_| sleep(MS));
    });
}

#[path = "../../examples/ctrl_c.rs"]
mod ctrl_c;

#[test]
fn the_example_ends_in_order_at_ctrl_c() {
    let output = isolated("signals::the_example_ends_in_order_at_ctrl_c", || {
        // Listens as well, so that a signal that comes early or late does nothing else.
        let _signals = Signals::new([SIGINT]).unwrap();
        let _sending = Sending::new(MS, SIGINT);
        ctrl_c::main().unwrap();
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("press Ctrl-C\n") && said.contains("signal 2\nthe counter is gone\n"), "{said}");
}

/// The system ends a wait for events when a signal comes to the thread that waits.
#[test]
fn a_wait_that_a_signal_interrupts_goes_on() {
    passes("signals::a_wait_that_a_signal_interrupts_goes_on", || {
        let _signals = Signals::new([SIGUSR1]).unwrap();
        // SAFETY: the thread is there until the process ends.
        let me = unsafe { libc::pthread_self() };
        let _sending = Sending::with(Duration::from_micros(50), move || {
            // SAFETY: as above.
            assert_eq!(unsafe { libc::pthread_kill(me, SIGUSR1) }, 0);
        });
        (0..20).for_each(|_| sleep(MS));
        assert!(greenlet::os::poll(&mut [], Some(MS)).is_ok());
    });
}

// gevent 109
#[test]
fn the_end_of_a_child_is_a_signal_for_the_program_and_a_status_for_who_waits() {
    passes("signals::the_end_of_a_child_is_a_signal_for_the_program_and_a_status_for_who_waits", || {
        let signals = Signals::new([SIGCHLD]).unwrap();
        assert_eq!(Command::new("sh").args(["-c", "exit 3"]).status().unwrap().code(), Some(3));
        assert_eq!(signals.wait(), SIGCHLD);
    });
}
