//! What is in the storage: values, and who a greenlet is.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::thread::{self, ThreadId};

use greenlet::Greenlet;

use crate::{LIST, NUMBER, own};

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

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

fn set_errno(value: i32) {
    // SAFETY: the calling thread's own.
    unsafe { *libc::__errno_location() = value };
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
