//! Pools of OS threads, for what blocks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use greenlet::pool::{Job, ThreadPool};
use greenlet::{join_all, sleep, spawn, yield_now};

use crate::MS;

#[test]
fn blocking_functions_run_on_a_pool_while_others_go_on() {
    let pool = ThreadPool::new(8);
    let caller = std::thread::current().id();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let pool = pool.clone();
            spawn(move || pool.run(move || (n, std::thread::current().id())).unwrap())
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let (answer, thread) = task.join().unwrap();
        assert_eq!(answer, n);
        assert_ne!(thread, caller);
    }
}

/// gevent 77.
#[test]
fn a_panic_on_a_thread_comes_to_who_wants_the_result() {
    let pool = ThreadPool::new(1);
    let payload = catch_unwind(AssertUnwindSafe(|| pool.run(|| panic!("over there")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"over there"));
    let job = pool.spawn(|| -> () { panic!("over there") });
    assert_eq!(job.join().unwrap_err().message(), Some("over there"));
    assert_eq!(pool.map([3, 1, 2], |n| n + 1).unwrap(), [4, 2, 3]);
    let error = pool.map([3, 1, 2], |n| assert!(n != 1, "one")).unwrap_err();
    assert_eq!(error.message(), Some("one"));
}

/// gevent 77.
#[test]
fn a_thread_of_a_pool_runs_what_it_gives_to_that_pool_itself() {
    let pool = ThreadPool::new(1);
    let inner = pool.clone();
    let (outer_thread, inner_thread) = pool
        .run(move || {
            let job = inner.spawn(|| std::thread::current().id());
            assert!(job.is_finished());
            (std::thread::current().id(), inner.run(move || job.join().unwrap()).unwrap())
        })
        .unwrap();
    assert_eq!(outer_thread, inner_thread);
}

/// A job that has begun, and that ends with this value when it is told to go.
fn running(pool: &ThreadPool, value: i32) -> (Job<i32>, mpsc::Sender<()>) {
    let (go, may_go) = mpsc::channel();
    let (begin, has_begun) = mpsc::channel();
    let job = pool.spawn(move || {
        begin.send(()).unwrap();
        may_go.recv().unwrap();
        value
    });
    // This blocks the whole thread, hub included.
    has_begun.recv().unwrap();
    (job, go)
}

#[test]
fn a_job_begins_before_anybody_waits_for_it_and_can_be_asked() {
    let pool = ThreadPool::new(1);
    let (job, go) = running(&pool, 5);
    assert!(!job.is_finished() && !job.wait(Some(MS)));
    let queued = pool.spawn(|| 6);
    go.send(()).unwrap();
    assert_eq!(job.join().unwrap(), 5);
    assert_eq!(queued.join().unwrap(), 6);
    assert_eq!(pool.threads(), 1);
}

#[test]
fn several_may_wait_for_one_job() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = mpsc::channel::<()>();
    let job = Rc::new(pool.spawn(move || may_go.recv().unwrap()));
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let job = job.clone();
            spawn(move || job.wait(None))
        })
        .collect();
    yield_now();
    waiters[1].kill().unwrap();
    go.send(()).unwrap();
    join_all(&waiters, None);
    assert!(job.is_finished());
    Rc::into_inner(job).unwrap().join().unwrap();
}

/// eventlet 89. E16.
#[test]
fn a_pool_answers_the_hub_that_asked() {
    let pool = ThreadPool::new(2);
    assert_eq!(pool.run(|| 1).unwrap(), 1);
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let pool = pool.clone();
            std::thread::spawn(move || {
                let tasks: Vec<_> = (0..10)
                    .map(|k| {
                        let pool = pool.clone();
                        spawn(move || pool.run(move || n * 10 + k).unwrap())
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>()
            })
        })
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, (0..40).sum());
    // A job may be waited for where it was not spawned.
    let job = pool.spawn(|| 7);
    assert_eq!(std::thread::spawn(move || job.join().unwrap()).join().unwrap(), 7);
}

/// gevent 78, the part about sizes.
#[test]
fn a_thread_pool_grows_and_shrinks() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Arc::new(std::sync::Mutex::new(may_go));
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let may_go = may_go.clone();
            pool.spawn(move || may_go.lock().unwrap().recv().unwrap())
        })
        .collect();
    assert_eq!((pool.size(), pool.threads()), (1, 1));
    pool.resize(3);
    assert_eq!((pool.size(), pool.threads()), (3, 3), "jobs were waiting");
    pool.resize(1);
    (0..4).for_each(|_| go.send(()).unwrap());
    jobs.into_iter().for_each(|job| job.join().unwrap());
    while pool.threads() > 1 {
        yield_now();
    }
    assert_eq!(pool.run(|| 1).unwrap(), 1);
}

#[test]
fn a_thread_pool_that_is_killed_drops_what_queues_and_begins_anew() {
    let pool = ThreadPool::new(1);
    let (running, go) = running(&pool, 1);
    let queued = pool.spawn(|| 2);
    let waiter = spawn(move || queued.join());
    yield_now();
    pool.kill();
    assert!(waiter.join().unwrap().unwrap_err().is_killed());
    assert_eq!(pool.run(|| 3).unwrap(), 3, "on another thread, while the old one works on");
    go.send(()).unwrap();
    assert_eq!(running.join().unwrap(), 1);
}

#[test]
fn a_thread_pool_that_is_killed_begins_anew_whatever_its_thread_does_just_then() {
    for n in 0..50 {
        let pool = ThreadPool::new(2);
        pool.run(|| ()).unwrap();
        // It looks for more to do, and goes to sleep soon.
        sleep(n * Duration::from_micros(20));
        pool.kill();
        assert!(pool.spawn(|| ()).wait(Some(Duration::from_secs(20))));
        assert_eq!(pool.threads(), 1);
    }
}

#[test]
fn who_waits_for_a_thread_pool_that_is_killed_panics_and_is_not_killed_itself() {
    crate::quiet();
    let pool = ThreadPool::new(1);
    let (running, go) = running(&pool, 1);
    let waiter = spawn({
        let pool = pool.clone();
        move || pool.run(|| 2).unwrap()
    });
    yield_now();
    pool.kill();
    let error = waiter.join().unwrap_err();
    assert!(!error.is_killed());
    assert_eq!(error.message(), Some("the thread pool was killed before it came to this"));
    go.send(()).unwrap();
    assert_eq!(running.join().unwrap(), 1);
}

#[test]
fn a_pool_keeps_its_worker_when_an_unwanted_answer_panics_as_it_is_dropped() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("angry"));
        }
    }
    let pool = ThreadPool::new(1);
    let (go, may_go) = mpsc::channel::<()>();
    let asker = spawn({
        let pool = pool.clone();
        move || {
            pool.run(move || {
                may_go.recv().unwrap();
                Angry
            })
            .unwrap();
        }
    });
    yield_now();
    asker.kill().unwrap();
    asker.join().unwrap_err();
    go.send(()).unwrap();
    assert_eq!(pool.run(|| 1).unwrap(), 1);
}

/// The program has blocked them where it waits for them, and knows nothing of these threads.
#[test]
fn threads_of_the_shared_pool_leave_signals_to_the_program() {
    let is_blocked = |signal| {
        let mut mask = std::mem::MaybeUninit::uninit();
        // SAFETY: there is room for what is written, and it is read after.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 1
        }
    };
    let here = is_blocked(libc::SIGTERM);
    assert!(ThreadPool::shared().run(move || is_blocked(libc::SIGTERM)).unwrap());
    assert!(!ThreadPool::shared().run(move || is_blocked(libc::SIGSEGV)).unwrap());
    assert_eq!(ThreadPool::new(1).run(move || is_blocked(libc::SIGTERM)).unwrap(), here);
    assert_eq!(is_blocked(libc::SIGTERM), here);
}
