//! The rows of `test_gc.py`. Those of `test_weakref.py` are in `tests/data.rs`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{TryRecvError, channel};

use greenlet::Greenlet;

// test_gc.py::TestGC::test_dead_circular_ref
#[test]
fn a_greenlet_that_returns_a_handle_to_itself_goes_with_that_handle() {
    struct Me(Option<Greenlet<Me>>);
    let g = Greenlet::<Me>::new(|_| Me(Some(Greenlet::current())));
    let Me(returned) = g.switch(Me(None));
    let weak = g.downgrade();
    assert_eq!(returned.as_ref(), Some(&g));
    drop(g);
    assert!(weak.upgrade().is_some(), "the returned handle keeps it");
    drop(returned);
    assert!(weak.upgrade().is_none());
}

// test_gc.py::TestGC::test_circular_greenlet
#[test]
fn a_body_that_holds_its_greenlet_is_freed_by_a_kill() {
    let held = Rc::new(());
    let g = Greenlet::<()>::without_body();
    let (own, captured) = (g.clone(), held.clone());
    g.set_body(move |()| drop((own, captured)));
    let weak = g.downgrade();
    g.kill().unwrap();
    drop(g);
    assert!(weak.upgrade().is_none());
    assert_eq!(Rc::strong_count(&held), 1);
}

// test_gc.py::TestGC::test_circular_greenlet
#[test]
fn a_body_that_knows_its_greenlet_weakly_is_freed_with_the_last_handle() {
    let held = Rc::new(());
    let g = Greenlet::<()>::without_body();
    let (own, captured) = (g.downgrade(), held.clone());
    g.set_body(move |()| drop((own, captured)));
    drop(g);
    assert_eq!(Rc::strong_count(&held), 1);
}

// test_gc.py::TestGC::test_finalizer_crash (what becomes of a cycle that nobody collects)
#[test]
fn a_suspended_greenlet_that_holds_itself_is_unwound_when_its_thread_ends() {
    let (tell, told) = channel::<()>();
    std::thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let own: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let in_body = own.clone();
        let g = Greenlet::new(move |()| {
            let (_own, _tell) = (in_body, tell);
            main.switch(());
        });
        g.switch(());
        *own.borrow_mut() = Some(g);
    })
    .join()
    .unwrap();
    assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected), "its captures are gone");
}
