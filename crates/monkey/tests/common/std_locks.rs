//! What std's locks are to greenlets of one OS thread, whether those share its thread-locals or have their own.
//! Each is run in a greenlet, with everything taken over.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::Duration;

use greenlet::spawn;

use crate::inside::Inside;

const MOMENT: Duration = Duration::from_millis(5);

/// Spawns so many, and joins them in order.
fn join<R: 'static>(count: u32, body: impl Fn(u32) -> R + Clone + 'static) -> Vec<R> {
    let tasks = (0..count).map(|n| {
        let body = body.clone();
        spawn(move || body(n))
    });
    let tasks: Vec<_> = tasks.collect();
    tasks.into_iter().map(|task| task.join().unwrap()).collect()
}

/// How many of ten greenlets are inside at a time, at most, if each sleeps there.
pub fn most_inside(section: impl Fn(&dyn Fn()) + Clone + 'static) -> usize {
    let inside = Inside::default();
    let counted = inside.clone();
    join(10, move |_| {
        section(&|| {
            counted.enter();
            thread::sleep(MOMENT);
            counted.leave();
        });
    });
    inside.most()
}

pub fn a_mutex_is_held_across_a_sleep() {
    let mutex = Rc::new(Mutex::new(()));
    let most = most_inside(move |work| {
        let _guard = mutex.lock().unwrap();
        work();
    });
    assert_eq!(most, 1);
}

pub fn readers_hold_a_lock_together_across_a_sleep_and_a_writer_alone() {
    let lock = Rc::new(RwLock::new(()));
    let writing = lock.clone();
    let most = most_inside(move |work| {
        let _guard = lock.read().unwrap();
        work();
    });
    assert_eq!(most, 10);
    let most = most_inside(move |work| {
        let _guard = writing.write().unwrap();
        work();
    });
    assert_eq!(most, 1);
}

pub fn what_is_done_once_is_done_by_one_while_others_wait() {
    static ONCE: Once = Once::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static CELL: OnceLock<u32> = OnceLock::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        thread::sleep(MOMENT);
        7
    });
    let answers = join(5, |n| {
        ONCE.call_once(|| {
            thread::sleep(MOMENT);
            CALLS.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(CALLS.load(Ordering::Relaxed), 1, "done when the call returns");
        let first = *CELL.get_or_init(|| {
            thread::sleep(MOMENT);
            n
        });
        (first, *LAZY)
    });
    assert_eq!(answers, [(0, 7); 5]);
}

pub fn a_barrier_lets_all_go_when_the_last_one_comes() {
    let (barrier, arrived) = (Rc::new(Barrier::new(5)), Rc::new(Cell::new(0)));
    let leaders = join(5, move |n| {
        thread::sleep(MOMENT * n);
        arrived.set(arrived.get() + 1);
        let leads = barrier.wait().is_leader();
        assert_eq!(arrived.get(), 5);
        leads
    });
    assert_eq!(leaders, [false, false, false, false, true]);
}
