//! Greenlets that still wait in a call when their thread ends.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greenlet::spawn;

static ENDED: AtomicUsize = AtomicUsize::new(0);

struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_thread_that_ends_ends_its_greenlets_by_errors() {
    super::isolated("end::a_thread_that_ends_ends_its_greenlets_by_errors", || {
        greenlet_monkey::patch_all().unwrap();
        thread::spawn(|| {
            drop(spawn(|| {
                let _ended = Ended;
                let (mut a, _b) = UnixStream::pair().unwrap();
                assert_eq!(a.read(&mut [0]).unwrap_err().raw_os_error(), Some(libc::ECANCELED));
            }));
            drop(spawn(|| {
                let _ended = Ended;
                thread::sleep(Duration::from_secs(3600));
            }));
            thread::sleep(Duration::from_millis(1));
        })
        .join()
        .unwrap();
        assert_eq!(ENDED.load(Ordering::Relaxed), 2, "their destructors ran");
    });
}

#[test]
fn one_that_refuses_to_end_is_left_behind() {
    let said = super::isolated("end::one_that_refuses_to_end_is_left_behind", || {
        greenlet_monkey::patch_all().unwrap();
        thread::spawn(|| {
            drop(spawn(|| {
                loop {
                    thread::sleep(Duration::from_secs(3600));
                }
            }));
            thread::sleep(Duration::from_millis(1));
        })
        .join()
        .unwrap();
    });
    assert!(said.contains("leaked"), "it is reported: {said}");
}

#[test]
fn one_that_waits_for_what_nobody_sends_is_left_behind() {
    let said = super::isolated("end::one_that_waits_for_what_nobody_sends_is_left_behind", || {
        greenlet_monkey::patch_all().unwrap();
        thread::spawn(|| {
            let (give, take) = std::sync::mpsc::channel::<()>();
            drop(spawn(move || take.recv()));
            thread::yield_now();
            std::mem::forget(give);
        })
        .join()
        .unwrap();
    });
    assert!(said.contains("leaked"), "it is reported: {said}");
}

#[test]
fn one_that_waits_for_a_lock_at_its_end_gets_it_from_another_thread() {
    super::isolated("end::one_that_waits_for_a_lock_at_its_end_gets_it_from_another_thread", || {
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        struct Locks;
        impl Drop for Locks {
            fn drop(&mut self) {
                drop(LOCK.lock().unwrap());
                ENDED.fetch_add(1, Ordering::Relaxed);
            }
        }
        greenlet_monkey::patch_all().unwrap();
        let (give, take) = std::sync::mpsc::channel();
        let holder = thread::spawn(move || {
            let _held = LOCK.lock().unwrap();
            give.send(()).unwrap();
            thread::sleep(Duration::from_millis(20));
        });
        take.recv().unwrap();
        thread::spawn(|| {
            drop(spawn(|| {
                let _locks = Locks;
                thread::sleep(Duration::from_secs(3600));
            }));
            thread::sleep(Duration::from_millis(1));
        })
        .join()
        .unwrap();
        assert_eq!(ENDED.load(Ordering::Relaxed), 1);
        holder.join().unwrap();
    });
}
