//! Parents: who hears of an end, and what links are refused.

use std::cell::RefCell;
use std::rc::Rc;

use greenlet::{Greenlet, ParentError, State, SwitchError};

use crate::{OnDrop, as_local_data_goes, suspended_with};

#[test]
fn the_parent_is_read_at_death() {
    let main = Greenlet::<u32>::current();
    let other = Greenlet::new(move |n: u32| main.switch(n) + 1000);
    other.switch(0);
    let g = {
        let other = other.clone();
        Greenlet::<u32>::new(move |n| {
            Greenlet::<u32>::current().set_parent(&other).unwrap();
            n
        })
    };
    assert_eq!(g.switch(1), 1001);
}

#[test]
fn the_parent_is_read_when_local_data_has_gone() {
    let main = Greenlet::<u32>::current();
    let other = Greenlet::new(move |n: u32| main.switch(n) + 1000);
    other.switch(0);
    let g = Greenlet::<u32>::new(move |n| {
        as_local_data_goes(move || Greenlet::<u32>::current().set_parent(&other).unwrap());
        n
    });
    assert_eq!(g.switch(1), 1001);
}

#[test]
fn an_error_passes_by_a_parent_without_a_body_and_leaves_it_as_it_is() {
    let parent = Greenlet::<u32>::without_body();
    let child =
        Greenlet::<u32>::builder().parent(&parent).build(|_| std::panic::resume_unwind(Box::new("error")));
    assert_eq!(child.try_switch(0).unwrap_err().message(), Some("error"));
    assert_eq!((child.state(), parent.state()), (State::Dead, State::Unstarted));
    parent.set_body(|n| n + 1);
    assert_eq!(child.switch(1), 2, "now it can start");
}

#[test]
fn set_parent_refuses_cycles_and_roots() {
    let a = Greenlet::<()>::new(|()| ());
    let b = Greenlet::<()>::builder().parent(&a).build(|()| ());
    assert_eq!(a.set_parent(&a), Err(ParentError::Cycle));
    assert_eq!(a.set_parent(&b), Err(ParentError::Cycle));
    assert_eq!(a.parent::<()>(), Some(Greenlet::root()));
    assert_eq!(Greenlet::<()>::root().set_parent(&a), Err(ParentError::Root));
}

#[test]
fn a_cycle_by_way_of_a_dead_ancestor_is_refused() {
    let first = Greenlet::<()>::new(|()| ());
    let dead = Greenlet::<()>::builder().parent(&first).build(|()| ());
    let last = Greenlet::<()>::builder().parent(&dead).build(|()| ());
    dead.kill().unwrap();
    assert_eq!(first.set_parent(&last), Err(ParentError::Cycle));
}

#[test]
fn an_old_parent_that_nothing_else_keeps_goes_when_the_new_one_is_there() {
    let (slot, seen) = (Rc::new(RefCell::new(None::<Greenlet>)), Rc::new(RefCell::new(None)));
    let look = OnDrop({
        let (slot, seen) = (slot.clone(), seen.clone());
        move || *seen.borrow_mut() = slot.take().and_then(|g| g.parent::<()>())
    });
    let old = suspended_with(look);
    let g = Greenlet::<()>::builder().parent(&old).build(|()| ());
    drop(old);
    *slot.borrow_mut() = Some(g.clone());
    let new = Greenlet::<()>::new(|()| ());
    g.set_parent(&new).unwrap();
    assert_eq!(seen.take(), Some(new));
}

#[test]
fn an_unwound_greenlet_cannot_make_itself_its_own_ancestor() {
    let main = Greenlet::<()>::current();
    let parent = suspended_with(());
    let victim = {
        let parent = parent.clone();
        Greenlet::<()>::builder().parent(&parent).build(move |()| {
            let _ = main.try_switch(());
            let refused = parent.set_parent(&Greenlet::<()>::current());
            assert_eq!(refused, Err(ParentError::Cycle));
        })
    };
    victim.switch(());
    victim.kill().unwrap();
    parent.switch(());
    assert!(parent.is_dead());
}

#[test]
fn a_greenlet_without_a_body_is_not_started_and_can_be_given_one() {
    let g = Greenlet::<u32>::without_body();
    let refused = g.try_switch(1).unwrap_err();
    assert!(matches!(refused.refusal(), Some(SwitchError::NoBody)));
    assert_eq!(g.state(), State::Unstarted);
    g.set_body(|n| n + 1);
    assert_eq!(g.switch(1), 2);
}
