//! Sleeps.

use std::cell::Cell;
use std::ffi::c_int;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use greenlet::spawn;

use crate::inside::Inside;
use crate::{join, patched};

#[test]
fn a_thousand_sleep_at_the_same_time() {
    let inside = Inside::default();
    let most = inside.clone();
    patched(move || {
        join((0..1000).map(|_| {
            let inside = inside.clone();
            spawn(move || {
                inside.enter();
                thread::sleep(Duration::from_millis(100));
                inside.leave();
            })
        }));
    });
    assert_eq!(most.most(), 1000, "all had begun before the first one ended");
}

#[test]
fn who_sleeps_less_wakes_first_whatever_function_it_calls() {
    /// A function, and for how many milliseconds it sleeps.
    type Sleep = (u64, fn());
    // Far enough apart for a process that is held up for a while as they begin.
    const SLEEPS: [Sleep; 5] = [
        (200, || thread::sleep(Duration::from_millis(200))),
        (160, || assert_eq!(unsafe { libc::usleep(160_000) }, 0)),
        (120, || {
            let time = libc::timespec { tv_sec: 0, tv_nsec: 120_000_000 };
            assert_eq!(unsafe { libc::nanosleep(&time, std::ptr::null_mut()) }, 0);
        }),
        (80, || sleep_until(libc::CLOCK_MONOTONIC, Duration::from_millis(80))),
        (40, || sleep_until(libc::CLOCK_REALTIME, Duration::from_millis(40))),
    ];
    let order = patched(|| {
        let (order, start) = (Rc::new(Cell::new(Vec::new())), Instant::now());
        join(SLEEPS.map(|(time, sleep)| {
            let order = order.clone();
            spawn(move || {
                sleep();
                assert!(start.elapsed() >= Duration::from_millis(time), "{time} ms are over");
                let mut so_far = order.take();
                so_far.push(time);
                order.set(so_far);
            })
        }));
        order.take()
    });
    assert_eq!(order, [40, 80, 120, 160, 200]);
}

fn sleep_until(clock: libc::clockid_t, after: Duration) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(clock, &mut time) };
    let until = Duration::new(time.tv_sec as u64, time.tv_nsec as u32) + after;
    let until = libc::timespec { tv_sec: until.as_secs() as i64, tv_nsec: until.subsec_nanos().into() };
    let result = unsafe { libc::clock_nanosleep(clock, libc::TIMER_ABSTIME, &until, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

#[test]
fn whole_seconds_are_slept_by_turns_as_well() {
    let most = patched(|| {
        let inside = Inside::default();
        join((0..3).map(|_| {
            let inside = inside.clone();
            spawn(move || {
                inside.enter();
                assert_eq!(unsafe { libc::sleep(1) }, 0);
                inside.leave();
            })
        }));
        inside.most()
    });
    assert_eq!(most, 3);
}

#[test]
fn what_is_no_time_is_an_error_as_ever() {
    patched(|| {
        let time = libc::timespec { tv_sec: 0, tv_nsec: -1 };
        assert_eq!(unsafe { libc::nanosleep(&time, std::ptr::null_mut()) }, -1);
        assert_eq!(errno(), libc::EINVAL);
        let result: c_int =
            unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &time, std::ptr::null_mut()) };
        assert_eq!(result, libc::EINVAL, "this one returns its error");
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1 };
        let clock = libc::CLOCK_THREAD_CPUTIME_ID;
        let result: c_int = unsafe { libc::clock_nanosleep(clock, 0, &time, std::ptr::null_mut()) };
        assert_eq!(result, libc::EINVAL, "a clock that stands still meanwhile");
    });
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

#[test]
fn a_yield_of_the_thread_is_one_of_the_greenlet() {
    let turns = patched(|| {
        let turns = Rc::new(Cell::new(0));
        let seen = turns.clone();
        let other = spawn(move || {
            for _ in 0..3 {
                turns.set(turns.get() + 1);
                thread::yield_now();
            }
        });
        let mut counted = Vec::new();
        for _ in 0..3 {
            thread::yield_now();
            counted.push(seen.get());
        }
        other.join().unwrap();
        counted
    });
    assert_eq!(turns, [1, 2, 3]);
}

#[test]
fn errno_is_the_callers_own_across_a_wait() {
    patched(|| {
        let other = spawn(|| {
            for _ in 0..10 {
                unsafe { *libc::__errno_location() = libc::ENOENT };
                thread::yield_now();
            }
        });
        unsafe { *libc::__errno_location() = libc::EDOM };
        thread::sleep(Duration::from_millis(5));
        assert_eq!(errno(), libc::EDOM);
        other.join().unwrap();
    });
}
