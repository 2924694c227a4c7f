//! std's locks, which are made of futexes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use greenlet::spawn;

use crate::{join, patched, std_locks};

const MOMENT: Duration = Duration::from_millis(5);

#[test]
fn a_mutex_is_held_across_a_sleep() {
    patched(std_locks::a_mutex_is_held_across_a_sleep);
}

#[test]
fn readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone() {
    patched(std_locks::readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone);
}

#[test]
fn a_condition_is_waited_for_and_told_of() {
    patched(|| {
        let pair = Rc::new((Mutex::new(0), Condvar::new()));
        let waiters = (0..5).map(|_| {
            let pair = pair.clone();
            spawn(move || {
                let (count, more) = &*pair;
                let count = more.wait_while(count.lock().unwrap(), |count| *count < 3).unwrap();
                *count
            })
        });
        let waiters: Vec<_> = waiters.collect();
        for _ in 0..3 {
            thread::sleep(MOMENT);
            *pair.0.lock().unwrap() += 1;
            pair.1.notify_all();
        }
        assert_eq!(join(waiters), [3; 5]);
    });
}

#[test]
fn a_wait_for_a_condition_has_its_time() {
    patched(|| {
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        let (_guard, result) =
            condition.wait_timeout_while(mutex.lock().unwrap(), MOMENT, |()| true).unwrap();
        assert!(result.timed_out());
    });
}

#[test]
fn what_is_done_once_is_done_by_one_while_others_wait() {
    patched(std_locks::what_is_done_once_is_done_by_one_while_others_wait);
}

#[test]
fn a_barrier_lets_all_go_when_the_last_one_comes() {
    patched(std_locks::a_barrier_lets_all_go_when_the_last_one_comes);
}

#[test]
fn another_thread_wakes_and_is_woken() {
    let (told, tell) = (Arc::new((Mutex::new(0), Condvar::new())), Arc::new(Barrier::new(2)));
    let (there, ready) = (told.clone(), tell.clone());
    // Without a hub.
    let other = thread::spawn(move || {
        for round in 0..100 {
            ready.wait();
            *there.0.lock().unwrap() = round + 1;
            there.1.notify_one();
        }
    });
    patched(move || {
        for round in 0..100 {
            tell.wait();
            let value = told.1.wait_while(told.0.lock().unwrap(), |value| *value <= round).unwrap();
            assert_eq!(*value, round + 1);
        }
    });
    other.join().unwrap();
}

#[test]
fn greenlets_of_many_threads_share_a_lock() {
    const THREADS: usize = 4;
    const TASKS: usize = 10;
    const TIMES: usize = 200;
    let sum = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let sum = sum.clone();
            thread::spawn(move || {
                patched(move || {
                    join((0..TASKS).map(|_| {
                        let sum = sum.clone();
                        spawn(move || {
                            for _ in 0..TIMES {
                                let mut guard = sum.lock().unwrap();
                                let before = *guard;
                                thread::yield_now();
                                *guard = before + 1;
                            }
                        })
                    }));
                })
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*sum.lock().unwrap(), THREADS * TASKS * TIMES);
}

#[test]
fn a_channel_brings_what_another_thread_sends() {
    patched(|| {
        let (sender, receiver) = channel();
        let thread = thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
        let ticks = spawn(|| (0..10).for_each(|_| thread::yield_now()));
        assert!(receiver.iter().eq(0..1000));
        ticks.join().unwrap();
        thread.join().unwrap();
    });
}

/// The word of a futex, and calls as C makes them.
mod futex {
    use std::ptr;
    use std::sync::atomic::AtomicU32;

    pub fn wait(word: &AtomicU32, value: u32, operation: i32, time: Option<libc::timespec>) -> i64 {
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        let nobody = ptr::null::<u32>();
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, time, nobody, 0b10) }
    }

    pub fn wake(word: &AtomicU32, count: i32, operation: i32, bits: u32) -> i64 {
        let nothing = ptr::null::<u32>();
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count, nothing, nothing, bits) }
    }
}

#[test]
fn a_futex_wakes_as_many_as_are_asked_for_in_their_order_and_by_their_bits() {
    use libc::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET};
    use std::sync::atomic::AtomicU32;

    patched(|| {
        let word = Rc::new(AtomicU32::new(1));
        let woken = Rc::new(Cell::new(Vec::new()));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (word, woken) = (word.clone(), woken.clone());
                spawn(move || {
                    assert_eq!(futex::wait(&word, 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, None), 0);
                    let mut order = woken.take();
                    order.push(n);
                    woken.set(order);
                })
            })
            .collect();
        thread::yield_now();
        assert_eq!(futex::wake(&word, 1, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 0b01), 0);
        assert_eq!(futex::wake(&word, 1, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 0b11), 1);
        assert_eq!(futex::wake(&word, 2, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 0), 2);
        thread::yield_now();
        assert_eq!(futex::wake(&word, i32::MAX, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 0), 1);
        join(tasks);
        assert_eq!(woken.take(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_futex_says_what_the_kernels_says() {
    use libc::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET};
    use std::sync::atomic::AtomicU32;

    let error = || std::io::Error::last_os_error().raw_os_error().unwrap();
    let short = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    patched(move || {
        let word = AtomicU32::new(1);
        assert_eq!(futex::wait(&word, 2, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, None), -1);
        assert_eq!(error(), libc::EAGAIN, "the value is another one");
        assert_eq!(futex::wait(&word, 1, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, Some(short)), -1);
        assert_eq!(error(), libc::ETIMEDOUT);
        // A time of the clock, which is long ago.
        assert_eq!(futex::wait(&word, 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, Some(short)), -1);
        assert_eq!(error(), libc::ETIMEDOUT);
        assert_eq!(futex::wait(&word, 1, FUTEX_WAIT, None), 0, "shared: look again now and then");
        let longer_than_that = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        assert_eq!(futex::wait(&word, 1, FUTEX_WAIT, Some(longer_than_that)), -1);
        assert_eq!(error(), libc::ETIMEDOUT);
        let nowhere = std::ptr::null::<AtomicU32>();
        assert_eq!(unsafe { libc::syscall(libc::SYS_futex, nowhere, FUTEX_WAIT, 0, 0) }, -1);
        assert_eq!(error(), libc::EFAULT);
    });
}

#[test]
fn the_end_of_a_thread_is_waited_for() {
    patched(|| {
        let (mutex, condition) = &*Box::leak(Box::new((Mutex::new(false), Condvar::new())));
        let joining = spawn(move || {
            let wait = move || drop(condition.wait_while(mutex.lock().unwrap(), |go| !*go).unwrap());
            thread::spawn(wait).join().unwrap();
        });
        thread::yield_now();
        assert!(!joining.is_finished());
        *mutex.lock().unwrap() = true;
        condition.notify_all();
        joining.join().unwrap();
    });
}

#[test]
fn nobody_waits_for_its_own_end() {
    patched(|| {
        assert_eq!(unsafe { libc::pthread_join(libc::pthread_self(), std::ptr::null_mut()) }, libc::EDEADLK);
    });
}

/// An operation on two futexes wakes who waits for one of them.
fn who_waits_is_woken_by(operation: i32, waited: usize, argument: u32) {
    use std::sync::atomic::AtomicU32;
    patched(move || {
        let futexes = Rc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let call = |operation: i32, on: [*mut u32; 2], [value, other_value]: [usize; 2], argument: u32| unsafe {
            let operation = operation | libc::FUTEX_PRIVATE_FLAG;
            libc::syscall(libc::SYS_futex, on[0], operation, value, other_value, on[1], argument as usize)
        };
        let on = [0, 1].map(|at| futexes[at].as_ptr());
        let waiter = spawn(move || call(libc::FUTEX_WAIT, [on[waited]; 2], [0, 0], 0));
        thread::yield_now();
        assert_eq!(call(operation, on, [1, 1], argument), 1);
        assert_eq!(waiter.join().unwrap(), 0);
    });
}

#[test]
fn a_wake_of_two_futexes_wakes_those_who_wait_for_either() {
    // If the second one is 0, which is put there.
    who_waits_is_woken_by(libc::FUTEX_WAKE_OP, 0, 0);
    who_waits_is_woken_by(libc::FUTEX_WAKE_OP, 1, 0);
}

#[test]
fn who_is_to_wait_for_another_futex_is_woken() {
    who_waits_is_woken_by(libc::FUTEX_REQUEUE, 0, 0);
    who_waits_is_woken_by(libc::FUTEX_CMP_REQUEUE, 0, 0);
}
