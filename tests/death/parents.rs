//! Parents: who hears of an end, and what links are refused.

use greenlet::{Greenlet, ParentError, State, SwitchError};

use crate::suspended_with;

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
fn set_parent_refuses_cycles_and_roots() {
    let a = Greenlet::<()>::new(|()| ());
    let b = Greenlet::<()>::builder().parent(&a).build(|()| ());
    assert_eq!(a.set_parent(&a), Err(ParentError::Cycle));
    assert_eq!(a.set_parent(&b), Err(ParentError::Cycle));
    assert_eq!(a.parent::<()>(), Some(Greenlet::root()));
    assert_eq!(Greenlet::<()>::root().set_parent(&a), Err(ParentError::Root));
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
