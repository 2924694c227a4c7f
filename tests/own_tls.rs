//! Thread-local storage of a greenlet's own: what code finds in it, and when it ends.
#![cfg(own_tls)]

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread::{self, ThreadId, panicking};

use greenlet::{Builder, Generator, Greenlet, KillError, Step, SwitchError, trace};

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(1) };
    static LIST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

fn own<T: 'static>() -> greenlet::Builder<T> {
    Greenlet::builder().own_tls()
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

fn set_errno(value: i32) {
    // SAFETY: the calling thread's own.
    unsafe { *libc::__errno_location() = value };
}

/// Notes in a list which thread-local was destroyed.
struct Noted(Rc<RefCell<Vec<&'static str>>>, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

thread_local! {
    static FIRST: RefCell<Option<Noted>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

type Notes = Rc<RefCell<Vec<&'static str>>>;

#[test]
fn each_has_thread_locals_of_its_own() {
    let main = Greenlet::<()>::current();
    NUMBER.set(100);
    let counting = || {
        let main = main.clone();
        own().build(move |()| {
            for n in 1..5 {
                assert_eq!(NUMBER.get(), n);
                NUMBER.set(n + 1);
                main.switch(());
            }
        })
    };
    let (a, b) = (counting(), counting());
    for _ in 0..5 {
        a.switch(());
        b.switch(());
    }
    assert!(a.is_dead() && b.is_dead());
    assert_eq!(NUMBER.get(), 100);
}

#[test]
fn thread_locals_are_fresh_where_another_greenlet_has_used_the_storage() {
    let mut places = HashSet::new();
    for _ in 0..10 {
        let place = own().build(|_: usize| {
            assert_eq!(NUMBER.get(), 1);
            assert!(LIST.with_borrow(Vec::is_empty));
            // SAFETY: asks for the calling thread's key values.
            unsafe {
                assert!(libc::pthread_getspecific(0).is_null());
                assert_eq!(*libc::__errno_location(), 0);
            }
            NUMBER.set(2);
            LIST.with_borrow_mut(|list| list.push(3));
            set_errno(libc::EAGAIN);
            NUMBER.with(|number| std::ptr::from_ref(number).addr())
        });
        places.insert(place.switch(0));
    }
    assert!(places.len() < 10, "storage is used again");
}

#[test]
fn those_that_share_find_the_same_in_any_order_of_switches() {
    let main = Greenlet::<()>::current();
    NUMBER.set(10);
    let greenlets: Vec<Greenlet> = (0..8_u32)
        .map(|index| {
            let main = main.clone();
            let builder = if index % 3 == 0 { Greenlet::builder() } else { own() };
            builder.build(move |()| {
                let shared = index % 3 == 0;
                for round in 0..20 {
                    if shared {
                        assert!(NUMBER.get() >= 10);
                        NUMBER.set(NUMBER.get() + 1);
                    } else {
                        assert_eq!(NUMBER.get(), 1 + round);
                        NUMBER.set(2 + round);
                    }
                    main.switch(());
                }
            })
        })
        .collect();
    let mut order = 12345_usize;
    for _ in 0..100 {
        order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        greenlets[(order >> 33) % 8].switch(());
    }
    for greenlet in &greenlets {
        while !greenlet.is_dead() {
            greenlet.switch(());
        }
    }
    assert_eq!(NUMBER.get(), 10 + 3 * 20);
}

#[test]
fn one_may_switch_straight_to_another() {
    let main = Greenlet::<u32>::current();
    let pong = own().build(move |mut n: u32| {
        loop {
            NUMBER.set(NUMBER.get() + 1);
            n = main.switch(n + NUMBER.get());
        }
    });
    let ping = {
        let pong = pong.clone();
        own().build(move |n: u32| {
            NUMBER.set(1000);
            let back = pong.switch(n);
            assert_eq!(NUMBER.get(), 1000);
            back
        })
    };
    assert_eq!(ping.switch(0), 2, "main gets it from pong");
    assert_eq!(ping.switch(7), 7);
    assert_eq!(pong.switch(0), 3);
}

#[test]
fn large_values_cross_unharmed() {
    let main = Greenlet::<[u64; 32]>::current();
    let g = own().build(move |mut value: [u64; 32]| {
        for _ in 0..3 {
            value[31] += 1;
            value = main.switch(value);
        }
        value
    });
    for n in 0..3 {
        assert_eq!(g.switch([n; 32])[31], n + 1);
    }
    assert_eq!(g.switch([9; 32]), [9; 32]);
    assert!(g.is_dead());
}

#[test]
fn destructors_run_at_the_end_in_the_greenlets_own_storage() {
    let notes = Notes::default();
    let log = notes.clone();
    own()
        .build(move |()| {
            FIRST.set(Some(Noted(log.clone(), "first")));
            SECOND.set(Some(Noted(log.clone(), "second")));
            log.borrow_mut().push("body");
        })
        .switch(());
    assert_eq!(*notes.borrow(), ["body", "second", "first"]);
    assert!(FIRST.take().is_none());
}

#[test]
fn destructors_run_however_the_greenlet_ends() {
    type End = fn(Greenlet);
    let ends: [End; 4] = [
        |g| g.switch(()),
        |g| g.kill().unwrap(),
        drop,
        |g| assert!(g.try_throw("an error").unwrap_err().into_payload().is::<&str>()),
    ];
    for end in ends {
        let (main, notes) = (Greenlet::<()>::current(), Notes::default());
        let log = notes.clone();
        let g = own().build(move |()| {
            FIRST.set(Some(Noted(log, "first")));
            main.switch(());
        });
        g.switch(());
        assert!(notes.borrow().is_empty());
        end(g);
        assert_eq!(*notes.borrow(), ["first"]);
    }
}

#[test]
fn destructors_run_when_the_thread_ends() {
    let (sender, receiver) = std::sync::mpsc::channel();
    struct Tell(std::sync::mpsc::Sender<u32>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send(NUMBER.get()).unwrap();
        }
    }
    thread_local!(static TELL: RefCell<Option<Tell>> = const { RefCell::new(None) });
    thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let g = own().build(move |()| {
            NUMBER.set(77);
            TELL.set(Some(Tell(sender)));
            main.switch(());
        });
        g.switch(());
        std::mem::forget(g);
    })
    .join()
    .unwrap();
    assert_eq!(receiver.try_recv(), Ok(77));
}

#[test]
fn values_of_keys_are_destroyed_and_forgotten() {
    thread_local!(static DESTROYED: Cell<usize> = const { Cell::new(0) });
    static TOTAL: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    unsafe extern "C" fn destroy(value: *mut libc::c_void) {
        DESTROYED.set(DESTROYED.get() + 1);
        TOTAL.fetch_add(value.addr() * DESTROYED.get(), std::sync::atomic::Ordering::Relaxed);
    }
    // Enough that some are not in the control block itself.
    let keys: Rc<Vec<libc::pthread_key_t>> = Rc::new(
        (0..40)
            .map(|_| {
                let mut key = 0;
                // SAFETY: makes a key.
                assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destroy)) }, 0);
                key
            })
            .collect(),
    );
    for _ in 0..2 {
        let keys = keys.clone();
        let g = own().build(move |()| {
            for key in keys.iter() {
                // SAFETY: the key is there.
                unsafe {
                    assert!(libc::pthread_getspecific(*key).is_null());
                    libc::pthread_setspecific(*key, std::ptr::without_provenance(1));
                }
            }
        });
        g.switch(());
        assert_eq!(TOTAL.swap(0, std::sync::atomic::Ordering::Relaxed), 40 * 41 / 2);
    }
    // SAFETY: nobody uses them any more.
    keys.iter().for_each(|key| unsafe { assert_eq!(libc::pthread_key_delete(*key), 0) });
}

#[test]
fn errno_is_kept() {
    let main = Greenlet::<()>::current();
    let failing = |value: i32| {
        let main = main.clone();
        own().build(move |()| {
            set_errno(value);
            main.switch(());
            assert_eq!(errno(), value);
        })
    };
    let (a, b) = (failing(libc::EPERM), failing(libc::EINTR));
    set_errno(libc::ENOENT);
    for _ in 0..2 {
        a.switch(());
        assert_eq!(errno(), libc::ENOENT);
        b.switch(());
    }
    assert_eq!(errno(), libc::ENOENT);
}

#[test]
fn each_is_a_thread_to_std() {
    let ids: Rc<RefCell<HashSet<ThreadId>>> = Rc::default();
    let main = Greenlet::<()>::current();
    ids.borrow_mut().insert(thread::current().id());
    let greenlets: Vec<_> = (0..5)
        .map(|_| {
            let (ids, main) = (ids.clone(), main.clone());
            let g = own().build(move |()| {
                let id = thread::current().id();
                assert!(ids.borrow_mut().insert(id));
                main.switch(());
                assert_eq!(thread::current().id(), id);
            });
            g.switch(());
            g
        })
        .collect();
    for g in &greenlets {
        g.switch(());
        assert!(g.is_dead());
    }
    assert_eq!(ids.borrow().len(), 6);
}

#[test]
fn a_thread_local_may_stay_borrowed_across_switches() {
    let main = Greenlet::<()>::current();
    let borrower = || {
        let main = main.clone();
        let g = own().build(move |()| {
            LIST.with_borrow_mut(|list| {
                list.push(1);
                main.switch(());
                list.push(2);
                assert_eq!(*list, [1, 2]);
            });
        });
        g.switch(());
        g
    };
    let greenlets = [borrower(), borrower()];
    LIST.with_borrow_mut(|_| greenlets.each_ref().map(|g| g.switch(())));
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

#[test]
fn panics_are_caught_where_they_belong() {
    let main = Greenlet::<()>::current();
    let catching = |text: &'static str| {
        let main = main.clone();
        own().build(move |()| {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                main.switch(());
                std::panic::resume_unwind(Box::new(text));
            }));
            assert!(!panicking());
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&text));
            main.switch(());
        })
    };
    let greenlets = [catching("one"), catching("two")];
    for _ in 0..3 {
        greenlets.iter().for_each(|g| g.switch(()));
        assert!(!panicking());
    }
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

#[test]
fn a_panic_that_ends_one_is_raised_in_its_parent_and_counted_nowhere_else() {
    let outer = own().build(move |()| {
        let inner = own().build(|()| std::panic::resume_unwind(Box::new("ended")));
        let raised = inner.try_switch(()).unwrap_err();
        assert_eq!(raised.into_payload().downcast_ref(), Some(&"ended"));
        assert!(!panicking());
    });
    outer.switch(());
    assert!(!panicking());
}

/// Calls back when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_switch_in_a_destructor_is_refused_while_a_panic_is_on_its_way() {
    let main = Greenlet::<()>::current();
    let refused = Rc::new(Cell::new(false));
    let seen = refused.clone();
    let g = own().build(move |()| {
        let other = main.clone();
        let _on_drop = OnDrop(move || {
            assert!(panicking());
            let error = other.try_switch(()).unwrap_err();
            seen.set(matches!(error.refusal(), Some(SwitchError::Unwinding)));
        });
        std::panic::resume_unwind(Box::new("unwinding"));
    });
    assert!(g.try_switch(()).is_err());
    assert!(refused.get());
}

#[test]
fn who_is_unwound_for_a_panic_of_others_goes_back_there_though_it_sees_none() {
    let (main, refused) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let victim = {
        let (main, refused) = (main.clone(), refused.clone());
        own().build(move |()| {
            let exit = catch_unwind(AssertUnwindSafe(|| main.switch(()))).unwrap_err();
            assert!(!panicking(), "its own storage knows of no panic");
            let error = main.try_switch(()).unwrap_err();
            refused.set(matches!(error.refusal(), Some(SwitchError::Unwinding)));
            std::panic::resume_unwind(exit);
        })
    };
    victim.switch(());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _victim = victim;
        std::panic::resume_unwind(Box::new("unwinding"));
    }));
    assert!(caught.is_err() && refused.get() && !panicking());
    assert!(Greenlet::<()>::new(|()| ()).try_switch(()).is_ok(), "switches go on");
}

#[test]
fn destructors_of_thread_locals_cannot_switch() {
    struct Switches(Greenlet, Rc<Cell<bool>>);
    impl Drop for Switches {
        fn drop(&mut self) {
            let error = self.0.try_switch(()).unwrap_err();
            self.1.set(matches!(error.refusal(), Some(SwitchError::Unwinding)));
        }
    }
    thread_local!(static KEPT: RefCell<Option<Switches>> = const { RefCell::new(None) });
    let (main, refused) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let seen = refused.clone();
    own().build(move |()| KEPT.set(Some(Switches(main, seen)))).switch(());
    assert!(refused.get());
    assert!(own().build(|()| ()).try_switch(()).is_ok());
}

#[test]
fn a_destructor_of_a_thread_local_may_end_other_greenlets() {
    thread_local!(static KEPT: RefCell<Option<Greenlet>> = const { RefCell::new(None) });
    for kept in [own, Greenlet::builder] {
        let (main, notes) = (Greenlet::<()>::current(), Notes::default());
        let log = notes.clone();
        own()
            .build(move |()| {
                let me = Greenlet::<()>::current();
                let kept = kept().build(move |()| {
                    let _noted = Noted(log, "ended");
                    me.switch(());
                });
                kept.switch(());
                KEPT.set(Some(kept));
                drop(main);
            })
            .switch(());
        assert_eq!(*notes.borrow(), ["ended"]);
    }
}

#[test]
fn one_that_refuses_to_end_can_be_killed_later() {
    let main = Greenlet::<()>::current();
    let g = own().build(move |()| {
        NUMBER.set(5);
        let _ = catch_unwind(AssertUnwindSafe(|| main.switch(())));
        main.switch(());
        assert_eq!(NUMBER.get(), 5);
    });
    g.switch(());
    assert!(matches!(g.kill(), Err(KillError::Refused)));
    g.kill().unwrap();
    assert!(g.is_dead());
}

#[test]
fn an_unstarted_parent_starts_in_storage_of_its_own() {
    type Make = fn() -> greenlet::Builder<u32>;
    let makes: [Make; 2] = [own, Greenlet::builder];
    for (parent_of, child_of) in [(0, 0), (0, 1), (1, 0)] {
        NUMBER.set(50);
        let parent = makes[parent_of]().build(move |n: u32| {
            assert_eq!(NUMBER.get(), if parent_of == 0 { 1 } else { 50 });
            n + 1
        });
        let child = makes[child_of]().parent(&parent).build(move |n| {
            assert_eq!(NUMBER.get(), if child_of == 0 { 1 } else { 50 });
            n + 1
        });
        assert_eq!(child.switch(1), 3);
        assert!(parent.is_dead() && child.is_dead());
    }
    NUMBER.set(1);
}

#[test]
fn hooks_run_in_the_storage_of_who_is_continued() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    NUMBER.set(60);
    let main = Greenlet::<()>::current();
    let g = own().build(move |()| {
        NUMBER.set(61);
        main.switch(());
    });
    trace::set(move |_| log.borrow_mut().push(NUMBER.get()));
    g.switch(());
    g.switch(());
    trace::clear();
    assert_eq!(*seen.borrow(), [1, 60, 61, 60]);
    NUMBER.set(1);
}

#[test]
fn a_generator_may_have_its_own() {
    let mut generator = Generator::<(), u32, u32>::with_options(own(), |yielder, ()| {
        for _ in 0..3 {
            NUMBER.set(NUMBER.get() * 2);
            yielder.yield_(NUMBER.get());
        }
        NUMBER.get()
    });
    let steps: Vec<_> = (0..4).map(|_| generator.resume(())).collect();
    assert_eq!(steps, [Step::Yielded(2), Step::Yielded(4), Step::Yielded(8), Step::Returned(8)]);
    assert_eq!(NUMBER.get(), 1);
}

/// Who waits in a chain of calls.
type Callers = Rc<RefCell<Vec<Greenlet>>>;

#[test]
fn one_that_only_its_child_keeps_goes_on_when_the_child_ends() {
    type Options = fn() -> Builder<()>;
    let (own, shared): (Options, Options) = (own, Greenlet::builder);
    for (parents, childs) in [(own, shared), (shared, own), (own, own)] {
        let (main, went_on) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
        let (callers, child) = (Callers::default(), Rc::new(Cell::new(None)));
        let parent = parents().build({
            let (callers, child, went_on) = (callers.clone(), child.clone(), went_on.clone());
            move |()| {
                // Those who hold the handles of both are gone when it ends.
                let kill = move |()| callers.take().iter().for_each(|caller| caller.kill().unwrap());
                child.set(Some(childs().build(kill)));
                main.switch(());
                went_on.set(true);
            }
        });
        let calls_parent = Greenlet::new(move |()| parent.switch(()));
        callers.borrow_mut().push(calls_parent.clone());
        calls_parent.switch(());
        let child = child.take().unwrap();
        let calls_child = Greenlet::new(move |()| child.switch(()));
        callers.borrow_mut().push(calls_child.clone());
        calls_child.switch(());
        assert!(went_on.get());
    }
}

#[test]
fn an_error_goes_on_to_one_that_only_the_way_keeps() {
    /// Makes the root the parent of a greenlet, when it is dropped.
    struct Reparents(Rc<Cell<Option<Greenlet>>>);
    impl Drop for Reparents {
        fn drop(&mut self) {
            let greenlet = self.0.take().unwrap();
            greenlet.set_parent(&Greenlet::<()>::root()).unwrap();
        }
    }
    let (main, heard) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let grandparent = own().build({
        let heard = heard.clone();
        move |()| heard.set(main.try_switch(()).is_err())
    });
    grandparent.switch(());
    let slot = Rc::new(Cell::new(None));
    let reparents = Reparents(slot.clone());
    let parent = own().parent(&grandparent).build(move |()| drop(reparents));
    let g = own().parent(&parent).build(|()| panic!("as it should"));
    drop((parent, grandparent));
    slot.set(Some(g.clone()));
    g.switch(());
    assert!(heard.get());
}

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

#[cfg(feature = "hub")]
mod tasks {
    use std::time::Duration;

    use greenlet::{Task, Timeout, hub, join_all, sleep, spawn, with_timeout, yield_now};

    use super::*;

    fn task<T: 'static>(body: impl FnOnce() -> T + 'static) -> greenlet::GreenThread<T> {
        own::<()>().spawn(body)
    }

    #[test]
    fn tasks_keep_what_is_theirs_while_others_run() {
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let body = move || {
                    for round in 0..10 {
                        if n % 2 == 0 {
                            assert_eq!(NUMBER.get(), 1 + round);
                            NUMBER.set(2 + round);
                        }
                        yield_now();
                    }
                    thread::current().id()
                };
                if n % 2 == 0 { task(body) } else { spawn(body) }
            })
            .collect();
        let ids: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!(ids.len(), 11, "ten of their own, one shared");
    }

    #[test]
    fn a_hub_that_one_of_them_makes_is_the_threads() {
        thread::spawn(|| {
            let g = own().build(|()| {
                assert_eq!(task(|| 3).join().unwrap(), 3);
                assert_eq!(spawn(|| 4).join().unwrap(), 4);
                sleep(Duration::from_millis(1));
            });
            g.switch(());
            assert!(g.is_dead());
            assert_eq!(task(|| 5).join().unwrap(), 5);
            sleep(Duration::from_millis(1));
            assert!(hub::use_backend(hub::Backend::Poll).is_err(), "there is a hub");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn tasks_are_spawned_and_numbered_from_any_storage() {
        let outer = task(|| {
            let inner: Vec<_> =
                (0..10).map(|n| if n % 2 == 0 { task(yield_now) } else { spawn(yield_now) }).collect();
            let numbers: HashSet<_> = inner.iter().map(|task| task.minimal_ident()).collect();
            assert_eq!(numbers.len(), 10);
            assert!(!numbers.contains(&Task::current().unwrap().minimal_ident()));
            join_all(&inner, None);
        });
        outer.join().unwrap();
    }

    #[test]
    fn kills_and_timeouts_reach_them() {
        let notes = Notes::default();
        let log = notes.clone();
        let sleeper = task(move || {
            FIRST.set(Some(Noted(log, "first")));
            sleep(Duration::from_secs(1000));
        });
        yield_now();
        sleeper.kill().unwrap();
        assert!(sleeper.wait(None));
        assert_eq!(*notes.borrow(), ["first"]);
        let timed = task(|| {
            let outer = Timeout::new(Duration::from_secs(1000));
            assert!(with_timeout(Duration::from_millis(1), || sleep(Duration::from_secs(1000))).is_err());
            drop(outer);
            NUMBER.get()
        });
        assert_eq!(timed.join().unwrap(), 1);
    }

    #[test]
    fn a_task_has_destroyed_its_thread_locals_when_its_joiner_goes_on() {
        let notes = Notes::default();
        let log = notes.clone();
        task(move || FIRST.set(Some(Noted(log, "first")))).join().unwrap();
        assert_eq!(*notes.borrow(), ["first"]);
    }

    #[test]
    fn a_destructor_of_a_thread_local_may_kill_who_would_be_next() {
        struct Kills(Greenlet);
        impl Drop for Kills {
            fn drop(&mut self) {
                self.0.kill().unwrap();
            }
        }
        thread_local!(static KILLS: RefCell<Option<Kills>> = const { RefCell::new(None) });
        let main = Greenlet::<()>::current();
        let yielding = Greenlet::<()>::new(|()| {
            loop {
                yield_now();
            }
        });
        let victim = yielding.clone();
        // When it ends, the victim is next in the queue, and then who comes back here.
        let killer = task(move || {
            KILLS.set(Some(Kills(victim)));
            drop(spawn(move || main.switch(())));
        });
        yielding.switch(());
        assert!(yielding.is_dead() && killer.is_finished());
    }

    #[test]
    fn threads_and_their_hubs_come_and_go() {
        for _ in 0..10 {
            thread::spawn(|| {
                let waiting = task(|| sleep(Duration::from_secs(1000)));
                yield_now();
                std::mem::forget(waiting);
            })
            .join()
            .unwrap();
        }
    }
}
