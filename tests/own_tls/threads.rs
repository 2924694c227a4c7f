//! Greenlets with storage of their own beside threads, and as threads to C.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use greenlet::Greenlet;

use crate::{NUMBER, own};

#[test]
fn memory_may_be_freed_by_another_greenlet_than_allocated_it() {
    let main = Greenlet::<Vec<Box<[u8]>>>::current();
    let make = || {
        let main = main.clone();
        own().build(move |mut boxes: Vec<Box<[u8]>>| {
            for round in 0..50_usize {
                boxes.truncate(round % 7);
                boxes.extend((0..40).map(|n| vec![n as u8; 1 << (n % 12)].into_boxed_slice()));
                boxes = main.switch(boxes);
            }
            boxes
        })
    };
    let greenlets = [make(), make(), make()];
    let mut boxes = Vec::new();
    for round in 0..150 {
        boxes = greenlets[round % 3].switch(boxes);
        assert!(boxes.iter().all(|bytes| bytes.iter().all(|byte| *byte == bytes[0])));
    }
}

#[test]
fn locks_that_know_their_owner_tell_greenlets_apart() {
    for kind in [libc::PTHREAD_MUTEX_RECURSIVE, libc::PTHREAD_MUTEX_ERRORCHECK] {
        for robust in [libc::PTHREAD_MUTEX_STALLED, libc::PTHREAD_MUTEX_ROBUST] {
            // SAFETY: one lock, used as the C library says, which outlives its users.
            unsafe {
                let mut attributes = std::mem::zeroed();
                libc::pthread_mutexattr_init(&mut attributes);
                libc::pthread_mutexattr_settype(&mut attributes, kind);
                libc::pthread_mutexattr_setrobust(&mut attributes, robust);
                let lock: &'static mut libc::pthread_mutex_t = Box::leak(Box::new(std::mem::zeroed()));
                libc::pthread_mutex_init(lock, &attributes);
                let lock: *mut libc::pthread_mutex_t = lock;
                let main = Greenlet::<()>::current();
                let g = own().build(move |()| {
                    assert_eq!(libc::pthread_mutex_lock(lock), 0);
                    main.switch(());
                    assert_eq!(libc::pthread_mutex_unlock(lock), 0);
                });
                g.switch(());
                assert_eq!(libc::pthread_mutex_trylock(lock), libc::EBUSY);
                g.switch(());
                assert_eq!(libc::pthread_mutex_trylock(lock), 0);
                assert_eq!(libc::pthread_mutex_unlock(lock), 0);
            }
        }
    }
}

#[test]
fn other_threads_use_what_one_has_left() {
    for _ in 0..20 {
        let run = || {
            assert_eq!(NUMBER.get(), 1);
            let g = own().build(|()| assert_eq!(NUMBER.replace(2), 1));
            g.switch(());
        };
        let threads: Vec<_> = (0..3).map(|_| thread::spawn(run)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn one_may_start_threads() {
    let id = Rc::new(Cell::new(None));
    let seen = id.clone();
    own()
        .build(move |()| {
            let own = thread::current().id();
            let other = thread::spawn(move || {
                assert_eq!(NUMBER.get(), 1);
                thread::current().id()
            });
            let other = other.join().unwrap();
            assert_ne!(own, other);
            seen.set(Some(own));
        })
        .switch(());
    assert_ne!(id.get(), Some(thread::current().id()));
}
