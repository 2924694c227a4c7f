//! The rows of `test_extension_interface.py`: the operations that its C interface has, one by one.

use std::rc::Rc;

use greenlet::{Greenlet, State};

// test_extension_interface.py::CAPITests::test_switch
// test_extension_interface.py::CAPITests::test_switch_kwargs
#[test]
fn a_switch_starts_the_body_with_the_value_and_brings_its_result() {
    let g = Greenlet::<(u32, String)>::new(|(n, text)| (n * 2, format!("{text}!")));
    assert_eq!(g.switch((21, "hello".into())), (42, "hello!".into()));
    assert!(g.is_dead());
}

// test_extension_interface.py::CAPITests::test_setparent
#[test]
fn a_result_goes_to_the_parent_that_was_set_meanwhile() {
    let main = Greenlet::<u32>::current();
    let g = {
        let main = main.clone();
        Greenlet::new(move |n: u32| main.switch(n) + 1)
    };
    assert_eq!(g.switch(0), 0);
    let new_parent = {
        let g = g.clone();
        Greenlet::new(move |n: u32| {
            g.set_parent(&Greenlet::<u32>::current()).unwrap();
            g.switch(n) * 100
        })
    };
    assert_eq!(new_parent.switch(4), 500);
    assert!(g.is_dead() && new_parent.is_dead());
}

// test_extension_interface.py::CAPITests::test_getcurrent
#[test]
fn current_is_whoever_runs() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::<()>::without_body();
    let weak = g.downgrade();
    g.set_body(move |()| {
        assert_eq!(weak.upgrade().unwrap(), Greenlet::<()>::current());
        assert_ne!(main, Greenlet::<()>::current());
    });
    g.switch(());
    assert_ne!(g, Greenlet::<()>::current());
}

// test_extension_interface.py::CAPITests::test_new_greenlet
#[test]
fn a_new_greenlet_is_unstarted_and_runs_its_body_once() {
    let g = Greenlet::<i32>::new(|n| n - 1);
    assert_eq!(g.state(), State::Unstarted);
    assert_eq!((g.switch(15), g.state()), (14, State::Dead));
    assert_eq!(g.switch(15), 15, "not again");
}

// test_extension_interface.py::CAPITests::test_throw
#[test]
fn throw_raises_where_the_target_waits() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| match main.try_switch(n) {
        Err(raised) => raised.message().unwrap().len() as u32,
        Ok(_) => unreachable!(),
    });
    g.switch(0);
    assert_eq!(g.throw("take that"), 9);
}

// test_extension_interface.py::CAPITests::test_leaks
#[test]
fn making_switching_throwing_and_reparenting_leave_nothing_behind() {
    let held = Rc::new(());
    for round in 0..100 {
        let main = Greenlet::<u32>::current();
        let (of_parent, of_child) = (held.clone(), held.clone());
        let parent = Greenlet::<u32>::new(move |n| n + Rc::strong_count(&of_parent) as u32);
        let child = Greenlet::<u32>::new(move |n| main.switch(n) + Rc::strong_count(&of_child) as u32);
        child.switch(round);
        child.set_parent(&parent).unwrap();
        match round % 3 {
            0 => assert_eq!(child.switch(1), 1 + 3 + 2, "the child's captures are gone when its parent runs"),
            1 => assert_eq!(child.try_throw("stop").unwrap_err().message(), Some("stop")),
            _ => {}
        }
    }
    assert_eq!(Rc::strong_count(&held), 1);
}
