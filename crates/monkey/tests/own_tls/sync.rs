//! std's ways to wait for each other, between greenlets of one OS thread.

use std::cell::Cell;
use std::io::{Write, stdout};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use greenlet::spawn;

use super::{MOMENT, join, patched, std_locks};

#[test]
fn a_mutex_is_held_across_a_sleep() {
    patched("sync::a_mutex_is_held_across_a_sleep", std_locks::a_mutex_is_held_across_a_sleep);
}

#[test]
fn a_mutex_is_poisoned_by_who_panics_and_by_nobody_else() {
    patched("sync::a_mutex_is_poisoned_by_who_panics_and_by_nobody_else", || {
        let (spoiled, sound) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let (spoil, keep) = (spoiled.clone(), sound.clone());
        let keeper = spawn(move || {
            let mut guard = keep.lock().unwrap();
            thread::sleep(2 * MOMENT);
            *guard = 1;
        });
        let panics = spawn(move || {
            let _guard = spoil.lock().unwrap();
            thread::sleep(MOMENT);
            panic!("as it should");
        });
        assert!(panics.join().is_err());
        keeper.join().unwrap();
        assert!(spoiled.is_poisoned());
        assert_eq!(*sound.lock().unwrap(), 1);
    });
}

#[test]
fn readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone() {
    patched(
        "sync::readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone",
        std_locks::readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone,
    );
}

#[test]
fn a_condition_is_waited_for_by_many_and_told_of_to_one_or_all() {
    patched("sync::a_condition_is_waited_for_by_many_and_told_of_to_one_or_all", || {
        let pair = Rc::new((Mutex::new(0), Condvar::new()));
        let tell = pair.clone();
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let pair = pair.clone();
                spawn(move || {
                    let mut tickets =
                        pair.1.wait_while(pair.0.lock().unwrap(), |tickets| *tickets == 0).unwrap();
                    *tickets -= 1;
                })
            })
            .collect();
        thread::sleep(MOMENT);
        *tell.0.lock().unwrap() = 1;
        tell.1.notify_one();
        thread::sleep(MOMENT);
        assert_eq!(waiters.iter().filter(|waiter| waiter.is_finished()).count(), 1);
        *tell.0.lock().unwrap() = 4;
        tell.1.notify_all();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn what_is_done_once_is_done_by_one_while_others_wait() {
    patched(
        "sync::what_is_done_once_is_done_by_one_while_others_wait",
        std_locks::what_is_done_once_is_done_by_one_while_others_wait,
    );
}

#[test]
fn a_barrier_lets_all_go_when_the_last_one_comes() {
    patched(
        "sync::a_barrier_lets_all_go_when_the_last_one_comes",
        std_locks::a_barrier_lets_all_go_when_the_last_one_comes,
    );
}

#[test]
fn a_sender_wakes_the_receiver_of_its_own_thread_and_may_live_on() {
    patched("sync::a_sender_wakes_the_receiver_of_its_own_thread_and_may_live_on", || {
        let (sender, receiver) = channel();
        let received = Arc::new(AtomicBool::new(false));
        let seen = received.clone();
        let receiving = spawn(move || {
            assert_eq!(receiver.recv(), Ok(1));
            seen.store(true, Ordering::Relaxed);
        });
        let sending = spawn(move || {
            thread::sleep(MOMENT);
            sender.send(1).unwrap();
            // Its end would wake the receiver as well.
            while !received.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            drop(sender);
        });
        sending.join().unwrap();
        receiving.join().unwrap();
    });
}

#[test]
fn a_channel_with_little_room_brings_all_in_order() {
    patched("sync::a_channel_with_little_room_brings_all_in_order", || {
        for room in [0, 1, 7] {
            let (sender, receiver) = sync_channel(room);
            let sending = spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
            assert!(receiver.iter().eq(0..1000));
            sending.join().unwrap();
        }
    });
}

#[test]
fn many_senders_and_the_root_use_one_channel() {
    patched("sync::many_senders_and_the_root_use_one_channel", || {
        let (sender, receiver) = sync_channel(2);
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let sender = sender.clone();
                spawn(move || (0..100).for_each(|k| sender.send(n * 100 + k).unwrap()))
            })
            .collect();
        drop(sender);
        let mut all: Vec<_> = receiver.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_channel_is_waited_at_for_its_time() {
    patched("sync::a_channel_is_waited_at_for_its_time", || {
        let (sender, receiver) = channel::<u8>();
        let timed_out = Rc::new(Cell::new(false));
        let told = timed_out.clone();
        let waiting = spawn(move || {
            assert_eq!(receiver.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
            told.set(true);
            assert_eq!(receiver.recv_timeout(Duration::from_secs(1000)), Ok(5));
            assert_eq!(receiver.recv_timeout(Duration::from_secs(1000)), Err(RecvTimeoutError::Disconnected));
        });
        while !timed_out.get() {
            thread::sleep(MOMENT);
        }
        sender.send(5).unwrap();
        drop(sender);
        waiting.join().unwrap();
    });
}

#[test]
fn another_thread_sends_to_greenlets_that_wait() {
    patched("sync::another_thread_sends_to_greenlets_that_wait", || {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..5).map(|_| channel()).unzip();
        let tasks: Vec<_> =
            receivers.into_iter().map(|receiver| spawn(move || receiver.iter().sum::<usize>())).collect();
        let thread = thread::spawn(move || {
            for n in 0..1000 {
                senders[n % 5].send(n).unwrap();
            }
        });
        assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>(), 499_500);
        thread.join().unwrap();
    });
}

#[test]
fn a_parked_greenlet_is_woken_by_its_own_handle_and_no_other() {
    patched("sync::a_parked_greenlet_is_woken_by_its_own_handle_and_no_other", || {
        let (tell, told) = channel();
        let order = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (1..=2)
            .map(|n| {
                let (tell, order) = (tell.clone(), order.clone());
                spawn(move || {
                    tell.send((n, thread::current())).unwrap();
                    while order.get() != n {
                        thread::park();
                    }
                })
            })
            .collect();
        let mut handles = [told.recv().unwrap(), told.recv().unwrap()];
        handles.sort_by_key(|(n, _)| *n);
        assert_ne!(handles[0].1.id(), handles[1].1.id());
        // The later one first: each has a token of its own.
        order.set(2);
        handles[1].1.unpark();
        thread::sleep(MOMENT);
        assert!(!tasks[0].is_finished() && tasks[1].is_finished());
        order.set(1);
        handles[0].1.unpark();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_greenlet_that_is_unparked_first_does_not_park() {
    patched("sync::a_greenlet_that_is_unparked_first_does_not_park", || {
        join(3, |_| {
            thread::current().unpark();
            thread::yield_now();
            thread::park();
            thread::park_timeout(MOMENT);
        });
    });
}

#[test]
fn the_root_and_other_threads_park_beside_greenlets() {
    patched("sync::the_root_and_other_threads_park_beside_greenlets", || {
        let root = thread::current();
        let done = Arc::new(AtomicUsize::new(0));
        let (first, second) = (done.clone(), done.clone());
        let parking = thread::spawn({
            let done = done.clone();
            move || {
                while done.load(Ordering::SeqCst) == 0 {
                    thread::park();
                }
            }
        });
        let other = parking.thread().clone();
        let task = spawn(move || {
            thread::sleep(MOMENT);
            first.store(1, Ordering::SeqCst);
            other.unpark();
            second.fetch_add(1, Ordering::SeqCst);
            root.unpark();
        });
        while done.load(Ordering::SeqCst) != 2 {
            thread::park();
        }
        task.join().unwrap();
        parking.join().unwrap();
    });
}

#[test]
fn standard_output_is_locked_by_one_at_a_time_and_twice_by_the_same() {
    patched("sync::standard_output_is_locked_by_one_at_a_time_and_twice_by_the_same", || {
        let most = std_locks::most_inside(|work| {
            let _outer = stdout().lock();
            let mut inner = stdout().lock();
            work();
            inner.flush().unwrap();
        });
        assert_eq!(most, 1);
    });
}

#[test]
fn a_scope_waits_for_its_threads_while_others_run() {
    patched("sync::a_scope_waits_for_its_threads_while_others_run", || {
        let turns = Rc::new(Cell::new(0));
        let ticking = spawn({
            let turns = turns.clone();
            move || {
                while turns.get() >= 0 {
                    turns.set(turns.get() + 1);
                    thread::sleep(MOMENT / 5);
                }
            }
        });
        let sums = join(3, |n| {
            let mut sum = 0;
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(2 * MOMENT);
                    sum += n;
                });
                scope.spawn(|| thread::sleep(MOMENT));
            });
            sum
        });
        assert_eq!(sums, [0, 1, 2]);
        assert!(turns.get() > 1, "somebody ran while the scopes waited");
        turns.set(-1000);
        ticking.join().unwrap();
    });
}

#[test]
fn greenlets_join_threads_which_join_threads() {
    patched("sync::greenlets_join_threads_which_join_threads", || {
        let answers = join(5, |n| {
            let outer = thread::spawn(move || {
                let inner = thread::spawn(move || {
                    thread::sleep(MOMENT);
                    n
                });
                inner.join().unwrap() + 1
            });
            outer.join().unwrap()
        });
        assert_eq!(answers, [1, 2, 3, 4, 5]);
        let panics = join(2, |_| thread::spawn(|| panic!("as it should")).join().is_err());
        assert_eq!(panics, [true, true]);
    });
}
