//! What handlers of signals themselves do, in the midst of anything.

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use greenlet::{spawn, yield_now};

use crate::signals::pipe;

/// How many signals have been handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

static FUTEX: AtomicU32 = AtomicU32::new(0);

fn futex(operation: c_int, value: c_int) {
    let operation = operation | libc::FUTEX_PRIVATE_FLAG;
    unsafe { libc::syscall(libc::SYS_futex, FUTEX.as_ptr(), operation, value, 0_usize) };
}

/// Greenlets do these things again and again, while handlers wake a futex at all times.
fn while_handlers_wake(acts: &[fn()]) {
    const SIGNALS: usize = 10_000;
    extern "C" fn wake_one(_: c_int) {
        HANDLED.fetch_add(1, Ordering::Relaxed);
        futex(libc::FUTEX_WAKE, 1);
    }
    greenlet_monkey::patch_all().unwrap();
    unsafe { libc::signal(libc::SIGUSR1, wake_one as *const () as usize) };
    let again_and_again = |act: fn()| {
        move || {
            while HANDLED.load(Ordering::Relaxed) < SIGNALS {
                act();
            }
        }
    };
    let tasks: Vec<_> = acts.iter().map(|act| spawn(again_and_again(*act))).collect();
    signal_this_thread_every(Duration::from_micros(40));
    while HANDLED.load(Ordering::Relaxed) < SIGNALS {
        yield_now();
    }
    FUTEX.store(1, Ordering::Relaxed);
    futex(libc::FUTEX_WAKE, c_int::MAX);
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

fn signal_this_thread_every(interval: Duration) {
    let mut timer: libc::timer_t = ptr::null_mut();
    let mut event: libc::sigevent = unsafe { mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = libc::SIGUSR1;
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let time = libc::timespec { tv_sec: 0, tv_nsec: interval.subsec_nanos().into() };
    let times = libc::itimerspec { it_interval: time, it_value: time };
    unsafe {
        assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer), 0);
        assert_eq!(libc::timer_settime(timer, 0, &times, ptr::null_mut()), 0);
    }
}

fn wait_for_futex() {
    futex(libc::FUTEX_WAIT, 0);
}

#[test]
fn a_handler_that_wakes_may_have_interrupted_the_hub() {
    super::isolated("handlers::a_handler_that_wakes_may_have_interrupted_the_hub", || {
        while_handlers_wake(&[
            wait_for_futex,
            wait_for_futex,
            wait_for_futex,
            yield_now,
            yield_now,
            yield_now,
        ]);
    });
}

#[test]
fn a_handler_that_wakes_may_have_interrupted_a_wake() {
    super::isolated("handlers::a_handler_that_wakes_may_have_interrupted_a_wake", || {
        let wake = || (0..20).for_each(|_| futex(libc::FUTEX_WAKE, 1));
        while_handlers_wake(&[wait_for_futex, wake]);
    });
}

#[test]
fn a_call_in_a_handler_lets_nobody_run() {
    static READER: AtomicI32 = AtomicI32::new(-1);
    static OTHERS_RUN: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn read_and_look(_: c_int) {
        let before = OTHERS_RUN.load(Ordering::Relaxed);
        let mut fd = libc::pollfd { fd: READER.load(Ordering::Relaxed), events: libc::POLLIN, revents: 0 };
        for _ in 0..200 {
            unsafe {
                assert_eq!(libc::read(fd.fd, [0_u8].as_mut_ptr().cast(), 1), 1);
                assert_eq!(libc::poll(&mut fd, 1, -1), 1);
                assert_eq!(libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG), -1);
                assert_eq!(libc::usleep(1), 0);
            }
        }
        assert_eq!(OTHERS_RUN.load(Ordering::Relaxed), before);
    }
    super::isolated("handlers::a_call_in_a_handler_lets_nobody_run", || {
        greenlet_monkey::patch_all().unwrap();
        unsafe { libc::signal(libc::SIGUSR1, read_and_look as *const () as usize) };
        let [reader, writer] = pipe();
        READER.store(reader, Ordering::Relaxed);
        assert_eq!(unsafe { libc::write(writer, [0_u8; 201].as_ptr().cast(), 201) }, 201);
        drop(spawn(|| {
            loop {
                OTHERS_RUN.fetch_add(1, Ordering::Relaxed);
                yield_now();
            }
        }));
        yield_now();
        unsafe { libc::raise(libc::SIGUSR1) };
        let before = OTHERS_RUN.load(Ordering::Relaxed);
        yield_now();
        assert_eq!(OTHERS_RUN.load(Ordering::Relaxed), before + 1, "afterwards they do");
    });
}
