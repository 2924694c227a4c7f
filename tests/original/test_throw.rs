//! The rows of `test_throw.py`.

use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, State};

use crate::{Log, suspended};

#[derive(Debug, PartialEq)]
struct Oops(u32);

/// Waits, sends back what is thrown at it, and so on: an error that is no `Oops` ends it.
fn catcher() -> Greenlet<u32> {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |mut n: u32| {
        loop {
            let raised = main.try_switch(n).unwrap_err();
            let Oops(caught) = *raised.into_payload().downcast().expect("an Oops");
            n = caught;
        }
    });
    g.switch(0);
    g
}

// test_throw.py::ThrowTests::test_class
#[test]
fn a_thrown_error_is_told_from_others_by_its_type() {
    let g = catcher();
    assert_eq!(g.throw(Oops(1)), 1);
    assert_eq!(g.state(), State::Suspended, "it has caught that");
    assert_eq!(g.throw(Oops(2)), 2);
    assert!(g.try_throw("something else").is_err());
    assert!(g.is_dead());
}

// test_throw.py::ThrowTests::test_val
#[test]
fn a_thrown_error_arrives_with_what_it_holds_and_unchanged() {
    let address = Box::new(77_u32);
    let expected = std::ptr::from_ref(&*address).addr();
    let g = suspended();
    let raised = g.try_throw(address).unwrap_err();
    let payload = raised.into_payload().downcast::<Box<u32>>().unwrap();
    assert_eq!((**payload, std::ptr::from_ref(&**payload).addr()), (77, expected));
}

// test_throw.py::ThrowTests::test_kill
#[test]
fn an_exit_that_is_thrown_kills_and_one_more_finds_the_parent() {
    let g = suspended();
    assert!(g.try_throw(GreenletExit).unwrap_err().is_exit());
    assert!(g.is_dead());
    assert!(g.try_throw(GreenletExit).unwrap_err().into_payload().is::<GreenletExit>());
    g.kill().unwrap();
    g.switch(());
}

// test_throw.py::ThrowTests::test_throw_goes_to_original_parent
#[test]
fn an_error_for_an_unstarted_greenlet_ends_its_unstarted_parent_too() {
    let log = Log::default();
    let parent = {
        let log = log.clone();
        Greenlet::<()>::new(move |()| log.push("parent"))
    };
    let victim = {
        let log = log.clone();
        Greenlet::<()>::builder().parent(&parent).build(move |()| log.push("victim"))
    };
    let raised = victim.try_throw(Oops(1)).unwrap_err();
    assert_eq!(*raised.into_payload().downcast::<Oops>().unwrap(), Oops(1));
    assert!(victim.is_dead() && parent.is_dead());
    assert_eq!(log.take(), [""; 0], "neither has run");
}

// test_throw.py::ThrowTests::test_throw_goes_to_original_parent
#[test]
fn an_error_for_an_unstarted_greenlet_is_raised_where_its_parent_waits() {
    let parent = catcher();
    let ran = Rc::new(());
    let captured = ran.clone();
    let victim = Greenlet::<u32>::builder().parent(&parent).build(move |_| {
        let _captured = captured;
        unreachable!()
    });
    assert_eq!(victim.throw(Oops(3)), 3);
    assert!(victim.is_dead() && parent.is_active());
    assert_eq!(Rc::strong_count(&ran), 1, "its body is gone");
}

// test_throw.py::ThrowTests::test_throw_goes_to_original_parent
#[test]
fn an_error_that_escapes_a_suspended_greenlet_is_raised_where_its_parent_waits() {
    let parent = catcher();
    let main = Greenlet::<u32>::current();
    let victim = Greenlet::<u32>::builder().parent(&parent).build(move |n| main.switch(n));
    victim.switch(0);
    assert_eq!(victim.throw(Oops(4)), 4);
    assert!(victim.is_dead() && parent.is_active());
}
