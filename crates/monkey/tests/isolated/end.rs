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
