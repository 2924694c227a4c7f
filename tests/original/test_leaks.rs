//! The rows of `test_leaks.py`. Those that measure memory are in `tests/isolated/leaks.rs`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use greenlet::Greenlet;

use crate::suspended;

// test_leaks.py::TestLeaks::test_arg_refs
#[test]
fn values_that_go_back_and_forth_are_dropped_as_often_as_they_are_made() {
    type Value = (Rc<()>, [u64; 4]);
    let held = Rc::new(());
    let main = Greenlet::<Value>::current();
    let g = Greenlet::new(move |mut value: Value| {
        loop {
            value = main.switch(value);
        }
    });
    for round in 0..100 {
        let (back, _) = g.switch((held.clone(), [round; 4]));
        drop(back);
        assert_eq!(Rc::strong_count(&held), 1);
    }
    drop(g);
    assert_eq!(Rc::strong_count(&held), 1);
}

// test_leaks.py::TestLeaks::test_threaded_leak
// test_leaks.py::TestLeaks::test_threaded_adv_leak
#[test]
fn a_thread_that_ends_takes_its_greenlets_with_it() {
    thread_local! {
        static KEPT: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
    }
    let held = Arc::new(());
    let threads = (0..10).map(|_| {
        let held = held.clone();
        thread::spawn(move || {
            let capture = || {
                let held = held.clone();
                Greenlet::<()>::new(move |()| drop(held))
            };
            let finished = capture();
            finished.switch(());
            let unstarted = capture();
            KEPT.with_borrow_mut(|kept| kept.extend([Greenlet::current(), finished, unstarted]));
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(Arc::strong_count(&held), 1);
}

// test_leaks.py::TestLeaks::test_issue251_issue252_explicit_reference_not_collectable
#[test]
fn a_reference_that_stays_until_the_end_of_its_thread_does_not_keep_the_greenlet() {
    let (tell, told) = channel::<()>();
    thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| {
            let _tell = tell;
            main.switch(());
        });
        g.switch(());
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected), "it was unwound");
}

/// How many of 2000 suspended greenlets have run their destructors, each on itself, when the thread
/// is over.
fn unwound(end: fn(Vec<Greenlet>)) -> u32 {
    struct Count(Arc<AtomicU32>, u64);
    impl Drop for Count {
        fn drop(&mut self) {
            let on_itself = Greenlet::<()>::current().id() == self.1;
            self.0.fetch_add(on_itself.into(), Ordering::Relaxed);
        }
    }
    let count = Arc::new(AtomicU32::new(0));
    let of_thread = count.clone();
    thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let greenlets = (0..2000).map(|_| {
            let (count, main) = (of_thread.clone(), main.clone());
            let g = Greenlet::new(move |()| {
                let _count = Count(count, Greenlet::<()>::current().id());
                main.switch(());
            });
            g.switch(());
            g
        });
        end(greenlets.collect());
    })
    .join()
    .unwrap();
    count.load(Ordering::Relaxed)
}

// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_thread
#[test]
fn all_suspended_greenlets_that_a_thread_lets_go_are_unwound() {
    assert_eq!(unwound(drop), 2000);
}

// test_leaks.py::TestLeaks::test_untracked_memory_doesnt_increase_unfinished_thread_dealloc_in_main
#[test]
fn all_suspended_greenlets_that_a_thread_leaves_behind_are_unwound() {
    assert_eq!(unwound(std::mem::forget), 2000);
}

// test_leaks.py::TestLeaks::test_issue251_killing_cross_thread_leaks_list (what is left of it: a
// thread that ends has nobody else's greenlets to wait for)
#[test]
fn a_thread_ends_while_another_one_has_suspended_greenlets() {
    let own = suspended();
    thread::spawn(|| drop(suspended())).join().unwrap();
    own.switch(());
    assert!(own.is_dead());
}
