//! What std and programs keep by thread.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::{Error, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, panicking};

use greenlet::{GreenThread, Greenlet, spawn, yield_now};

use super::{MOMENT, join, patched};

thread_local! {
    static LIST: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_cell_stays_borrowed_across_a_blocking_call() {
    patched("thread_locals::a_cell_stays_borrowed_across_a_blocking_call", || {
        let lists = join(5, |n| {
            LIST.with_borrow_mut(|list| {
                list.push(n);
                thread::sleep(MOMENT);
                list.push(n);
            });
            LIST.take()
        });
        assert!(lists.into_iter().enumerate().all(|(n, list)| list == [n, n]));
        assert!(LIST.with_borrow(Vec::is_empty), "the root has its own");
    });
}

#[test]
fn each_greenlet_is_a_thread_of_its_own() {
    patched("thread_locals::each_greenlet_is_a_thread_of_its_own", || {
        let all = join(20, |_| {
            let first = thread::current().id();
            thread::sleep(MOMENT);
            assert_eq!(thread::current().id(), first);
            first
        });
        let mut all: HashSet<_> = all.into_iter().collect();
        assert!(all.insert(thread::current().id()));
        // Those that come later find storage that has been used.
        all.extend(join(20, |_| thread::current().id()));
        assert_eq!(all.len(), 41);
    });
}

#[test]
fn one_panics_while_others_do_not() {
    struct Waits(UnixStream);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert!(panicking());
            // There is room, so it need not wait.
            self.0.write_all(b"x").unwrap();
        }
    }
    patched("thread_locals::one_panics_while_others_do_not", || {
        let (a, mut b) = UnixStream::pair().unwrap();
        let reading = spawn(move || {
            b.read_exact(&mut [0]).unwrap();
            assert!(!panicking());
        });
        let panics = spawn(move || {
            let _waits = Waits(a);
            thread::sleep(MOMENT);
            panic!("as it should");
        });
        assert!(panics.join().is_err() && !panicking());
        reading.join().unwrap();
        let caught = join(5, |_| {
            let caught = catch_unwind(|| {
                thread::sleep(MOMENT);
                panic!("as it should");
            });
            thread::sleep(MOMENT);
            caught.is_err() && !panicking()
        });
        assert_eq!(caught, [true; 5]);
    });
}

#[test]
fn errno_is_the_greenlets() {
    patched("thread_locals::errno_is_the_greenlets", || {
        let right = join(5, |n| {
            let number = n as i32 + 1;
            unsafe { *libc::__errno_location() = number };
            thread::yield_now();
            thread::sleep(MOMENT);
            Error::last_os_error().raw_os_error() == Some(number)
        });
        assert_eq!(right, [true; 5]);
    });
}

/// Says so when it is destroyed.
struct Tells(Sender<usize>, usize);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send(self.1).unwrap();
    }
}

thread_local! {
    static LAST: RefCell<Option<Tells>> = const { RefCell::new(None) };
}

#[test]
fn thread_locals_are_destroyed_before_who_joins_goes_on() {
    patched("thread_locals::thread_locals_are_destroyed_before_who_joins_goes_on", || {
        let (tell, told) = channel();
        for n in 0..10 {
            let tell = tell.clone();
            let task = spawn(move || {
                LAST.set(Some(Tells(tell, n)));
                thread::sleep(MOMENT);
            });
            match n % 2 {
                0 => task.join().unwrap(),
                _ => {
                    yield_now();
                    task.kill().unwrap();
                    task.wait(None);
                }
            }
            assert_eq!(told.try_recv(), Ok(n));
        }
    });
}

#[test]
fn a_value_of_a_threads_key_is_destroyed() {
    patched("thread_locals::a_value_of_a_threads_key_is_destroyed", || {
        unsafe extern "C" fn note(value: *mut libc::c_void) {
            unsafe { *value.cast::<usize>() += 1 };
        }
        let mut key = 0;
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(note)) }, 0);
        let count: &'static Cell<usize> = Box::leak(Box::default());
        join(10, move |_| {
            assert!(unsafe { libc::pthread_getspecific(key) }.is_null());
            unsafe { libc::pthread_setspecific(key, count.as_ptr().cast()) };
            thread::sleep(MOMENT);
            assert!(!unsafe { libc::pthread_getspecific(key) }.is_null());
        });
        assert_eq!(count.get(), 10);
    });
}

/// Calls something when it is destroyed.
struct Calls(Box<dyn FnOnce()>);

impl Drop for Calls {
    fn drop(&mut self) {
        std::mem::replace(&mut self.0, Box::new(|| ()))();
    }
}

thread_local! {
    static AT_THE_END: RefCell<Option<Calls>> = const { RefCell::new(None) };
}

/// A task that makes a blocking call in the destructor of a thread-local.
fn ends_with(call: impl FnOnce() + 'static) -> GreenThread<()> {
    spawn(move || AT_THE_END.set(Some(Calls(Box::new(call)))))
}

#[test]
fn a_destructor_waits_for_a_lock_that_another_greenlet_holds() {
    patched("thread_locals::a_destructor_waits_for_a_lock_that_another_greenlet_holds", || {
        static LOCK: Mutex<usize> = Mutex::new(0);
        let holder = spawn(|| {
            let mut guard = LOCK.lock().unwrap();
            let _output = std::io::stdout().lock();
            thread::sleep(MOMENT);
            *guard += 1;
        });
        yield_now();
        let ending: Vec<_> = (0..5)
            .map(|_| {
                ends_with(|| {
                    println!("at the end");
                    *LOCK.lock().unwrap() += 1;
                })
            })
            .collect();
        holder.join().unwrap();
        ending.into_iter().for_each(|task| task.join().unwrap());
        while *LOCK.lock().unwrap() != 6 {
            thread::yield_now();
        }
    });
}

#[test]
fn a_destructor_writes_to_and_reads_from_other_greenlets() {
    patched("thread_locals::a_destructor_writes_to_and_reads_from_other_greenlets", || {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let data = vec![7; 1 << 20];
        drop(ends_with(move || {
            a.write_all(&data).unwrap();
            a.read_exact(&mut [0]).unwrap();
            thread::sleep(MOMENT);
        }));
        let mut read = vec![0; 1 << 20];
        b.read_exact(&mut read).unwrap();
        assert!(read.into_iter().all(|byte| byte == 7));
        b.write_all(b"x").unwrap();
        assert_eq!(b.read(&mut [0]).unwrap(), 0, "the other end goes when all is done");
    });
}

#[test]
fn greenlets_that_are_switched_by_hand_wait_in_destructors_as_well() {
    patched("thread_locals::greenlets_that_are_switched_by_hand_wait_in_destructors_as_well", || {
        let (tell, told) = channel();
        let ticking = spawn(move || (0..3).for_each(|_| told.recv().unwrap()));
        let g = Greenlet::new(move |()| {
            AT_THE_END.set(Some(Calls(Box::new(move || {
                for _ in 0..3 {
                    tell.send(()).unwrap();
                    thread::sleep(MOMENT / 5);
                }
            }))));
        });
        g.switch(());
        assert!(g.is_dead());
        ticking.join().unwrap();
    });
}

#[test]
fn a_destructor_that_waits_when_the_thread_ends_comes_to_its_end() {
    patched("thread_locals::a_destructor_that_waits_when_the_thread_ends_comes_to_its_end", || {
        let (tell, told) = channel();
        let thread = thread::spawn(move || {
            let (mut a, b) = UnixStream::pair().unwrap();
            drop(ends_with(move || {
                // Nobody ever writes.
                let error = a.read(&mut [0]).unwrap_err();
                tell.send(error.raw_os_error()).unwrap();
                drop(b);
            }));
            thread::sleep(MOMENT);
        });
        thread.join().unwrap();
        assert_eq!(told.recv().unwrap(), Some(libc::ECANCELED));
    });
}
