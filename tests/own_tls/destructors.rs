//! When values in the storage are destroyed, and what may be done meanwhile.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use greenlet::{Greenlet, KillError, SwitchError};

use crate::{FIRST, NUMBER, Noted, Notes, SECOND, own};

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
