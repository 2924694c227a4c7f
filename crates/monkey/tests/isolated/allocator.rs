//! An allocator whose own lock is one of those that are taken over.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::thread;

use greenlet::{join_all, spawn};
use greenlet_monkey::{Part, counts};

struct Locked;

static LOCK: Mutex<()> = Mutex::new(());

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.get() {
            COUNT.set(COUNT.get() + 1);
        }
        let _guard = LOCK.lock().unwrap();
        if layout.size().is_multiple_of(16) {
            // Others come while it is held.
            unsafe { libc::syscall(libc::SYS_sched_yield) };
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _guard = LOCK.lock().unwrap();
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Locked = Locked;

#[test]
fn an_allocators_lock_is_waited_for_without_allocating() {
    super::isolated("allocator::an_allocators_lock_is_waited_for_without_allocating", || {
        greenlet_monkey::patch_all().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    let tasks: Vec<_> = (0..20)
                        .map(|_| {
                            spawn(|| {
                                for n in 0..2000_usize {
                                    drop(vec![0_u8; n % 100 + 1]);
                                    if n % 10 == 0 {
                                        thread::yield_now();
                                    }
                                }
                            })
                        })
                        .collect();
                    join_all(&tasks, None);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(counts(Part::Sync).parked > 0, "somebody waited for the lock");
    });
}

#[test]
fn waits_allocate_nothing_once_all_has_grown() {
    super::isolated("allocator::waits_allocate_nothing_once_all_has_grown", || {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        use std::sync::Condvar;
        use std::time::Duration;

        greenlet_monkey::patch_all().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        let mut wait = || {
            thread::sleep(Duration::from_millis(1));
            b.read_exact(&mut [0]).unwrap();
            drop(condition.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(1)).unwrap());
            let mut fd = libc::pollfd { fd: -1, events: 0, revents: 0 };
            unsafe { libc::poll(&mut fd, 1, 1) };
        };
        let writer = spawn(move || {
            for _ in 0..2 {
                thread::sleep(Duration::from_millis(3));
                a.write_all(b"x").unwrap();
            }
            thread::sleep(Duration::from_millis(50));
        });
        wait();
        COUNTING.set(true);
        wait();
        COUNTING.set(false);
        assert_eq!(COUNT.get(), 0);
        writer.join().unwrap();
    });
}
