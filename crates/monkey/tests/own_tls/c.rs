//! What C keeps by thread.

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use greenlet::spawn;

use super::{MOMENT, join, patched};

unsafe extern "C" {
    fn flockfile(file: *mut libc::FILE);
    fn ftrylockfile(file: *mut libc::FILE) -> c_int;
    fn funlockfile(file: *mut libc::FILE);
}

#[test]
fn each_greenlet_is_a_thread_that_can_be_signalled() {
    static SIGNALS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn note(_: c_int) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    patched("c::each_greenlet_is_a_thread_that_can_be_signalled", || {
        unsafe { libc::signal(libc::SIGUSR1, note as *const () as libc::sighandler_t) };
        let mut all = join(5, |_| {
            let own = unsafe { libc::pthread_self() };
            thread::sleep(MOMENT);
            assert_eq!(unsafe { libc::pthread_self() }, own);
            unsafe {
                assert_eq!(libc::raise(libc::SIGUSR1), 0);
                assert_eq!(libc::pthread_kill(own, libc::SIGUSR1), 0);
            }
            own
        });
        assert_eq!(SIGNALS.load(Ordering::Relaxed), 10);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    });
}

#[test]
fn a_stream_is_locked_by_one_greenlet_at_a_time_and_twice_by_the_same() {
    patched("c::a_stream_is_locked_by_one_greenlet_at_a_time_and_twice_by_the_same", || {
        let file = unsafe { libc::tmpfile() };
        assert!(!file.is_null());
        let holder = spawn(move || unsafe {
            flockfile(file);
            assert_eq!(ftrylockfile(file), 0);
            thread::sleep(MOMENT);
            funlockfile(file);
            funlockfile(file);
        });
        thread::yield_now();
        let others = join(3, move |_| unsafe { ftrylockfile(file) });
        assert!(others.into_iter().all(|result| result != 0));
        holder.join().unwrap();
        assert_eq!(unsafe { ftrylockfile(file) }, 0);
    });
}

#[test]
fn a_mutex_that_knows_its_owner_tells_greenlets_apart() {
    patched("c::a_mutex_that_knows_its_owner_tells_greenlets_apart", || {
        for kind in [libc::PTHREAD_MUTEX_RECURSIVE, libc::PTHREAD_MUTEX_ERRORCHECK] {
            let mutex: *mut libc::pthread_mutex_t = Box::into_raw(Box::new(libc::PTHREAD_MUTEX_INITIALIZER));
            unsafe {
                let mut attributes = std::mem::zeroed();
                libc::pthread_mutexattr_init(&mut attributes);
                libc::pthread_mutexattr_settype(&mut attributes, kind);
                libc::pthread_mutex_init(mutex, &attributes);
            }
            let holder = spawn(move || unsafe {
                assert_eq!(libc::pthread_mutex_lock(mutex), 0);
                thread::sleep(MOMENT);
                assert_eq!(libc::pthread_mutex_unlock(mutex), 0);
            });
            thread::yield_now();
            let others = join(2, move |_| unsafe {
                (libc::pthread_mutex_trylock(mutex), libc::pthread_mutex_unlock(mutex))
            });
            assert_eq!(others, [(libc::EBUSY, libc::EPERM); 2]);
            holder.join().unwrap();
            unsafe {
                assert_eq!(libc::pthread_mutex_trylock(mutex), 0);
                drop(Box::from_raw(mutex));
            }
        }
    });
}

#[test]
fn memory_stays_flat_while_greenlets_that_allocate_come_and_go() {
    fn resident() -> usize {
        let told = std::fs::read_to_string("/proc/self/statm").unwrap();
        told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }
    patched("c::memory_stays_flat_while_greenlets_that_allocate_come_and_go", || {
        let (give, take) = std::sync::mpsc::channel::<Vec<Box<[u8]>>>();
        let freeing = spawn(move || take.into_iter().for_each(drop));
        let round = || {
            let give = give.clone();
            join(500, move |n| {
                let memory = (0..20).map(|k| vec![1; 16 << ((n + k) % 10)].into_boxed_slice()).collect();
                thread::yield_now();
                if n % 2 == 0 { give.send(memory).unwrap() } else { drop(memory) }
            });
        };
        (0..10).for_each(|_| round());
        let before = resident();
        (0..100).for_each(|_| round());
        let more = resident().saturating_sub(before);
        assert!(more < 8 << 20, "fifty thousand greenlets have left {more} bytes");
        drop(give);
        freeing.join().unwrap();
    });
}

#[test]
fn a_child_that_is_forked_by_one_goes_on_as_that_one() {
    patched("c::a_child_that_is_forked_by_one_goes_on_as_that_one", || {
        let statuses = join(2, |n| {
            let (own, id) = (unsafe { libc::pthread_self() }, thread::current().id());
            thread::sleep(MOMENT);
            match unsafe { libc::fork() } {
                0 => {
                    // Blocks, for the hub is the parent's.
                    thread::sleep(MOMENT / 5);
                    let same = unsafe { libc::pthread_self() } == own && thread::current().id() == id;
                    let joined = thread::spawn(|| *Box::new(1)).join().is_ok();
                    unsafe { libc::_exit(if same && joined { 7 } else { 8 }) }
                }
                child => {
                    let mut status = 0;
                    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child, "{n}");
                    libc::WEXITSTATUS(status)
                }
            }
        });
        assert_eq!(statuses, [7, 7]);
    });
}

const CHANGES: &str = "c::a_process_with_threads_changes_who_it_is";

/// Runs before `main`, and so before there is a thread.
#[used]
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = {
    extern "C" fn early() {
        if super::isolation::runs(CHANGES) {
            greenlet_monkey::patch_all().unwrap();
        }
    }
    early
};

/// The C library has threads change who they are by a signal, which its first thread makes it ready for.
#[test]
fn a_process_with_threads_changes_who_it_is() {
    patched(CHANGES, || {
        let (give, take) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || take.recv());
        assert_eq!(unsafe { libc::setuid(libc::getuid()) }, 0);
        give.send(()).unwrap();
        other.join().unwrap().unwrap();
    });
}
