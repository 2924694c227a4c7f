//! Trace hooks that wait, or go elsewhere, on the stack of one that the hub had suspended.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Arc;

use greenlet::sync::Event;
use greenlet::{Greenlet, KillError, spawn, threads, trace, yield_now};

#[test]
fn a_hook_may_wait_where_one_that_is_ready_is_killed_and_everybody_has_their_turn() {
    let victim = Greenlet::<()>::new(|()| yield_now());
    drop(spawn({
        let victim = victim.clone();
        move || victim.switch(())
    }));
    let killer = spawn(move || {
        let tasks: Vec<_> = (0..3).map(|n| spawn(move || n)).collect();
        let target = victim.clone();
        let is_first = Cell::new(true);
        // On the victim's stack, which waits for its turn.
        trace::set(move |event| {
            if event.target() == &target && is_first.take() {
                yield_now();
            }
        });
        victim.kill().unwrap();
        trace::clear();
        assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    });
    killer.join().unwrap();
}

#[test]
fn who_is_killed_as_it_waits_is_not_woken_where_a_hook_has_left_its_stack_by_hand() {
    let (event, root) = (Rc::new(Event::new()), Greenlet::<()>::root());
    let victim = Greenlet::<()>::new({
        let event = event.clone();
        move |()| event.wait()
    });
    drop(spawn({
        let victim = victim.clone();
        move || victim.switch(())
    }));
    yield_now();
    let target = victim.clone();
    let is_first = Cell::new(true);
    trace::set(move |event| {
        if event.target() == &target && is_first.take() {
            root.switch(());
        }
    });
    assert!(matches!(victim.kill(), Err(KillError::Refused)), "it has not ended yet");
    trace::clear();
    event.set();
    yield_now();
    assert!(!victim.is_dead());
    let _ = victim.try_switch(());
    assert!(victim.is_dead());
}

#[test]
fn who_was_woken_by_another_thread_and_left_in_a_hook_is_no_hope_to_those_who_wait() {
    let (elsewhere, root) = (Arc::new(threads::Event::new()), Greenlet::<()>::root());
    let task = spawn({
        let elsewhere = elsewhere.clone();
        move || elsewhere.wait()
    });
    yield_now();
    elsewhere.set();
    let (target, is_first) = (task.id(), Cell::new(true));
    trace::set(move |event| {
        if event.target().id() == target && is_first.take() {
            root.switch(());
        }
    });
    Greenlet::<()>::new(|()| Event::new().wait()).switch(());
    trace::clear();
    let payload = catch_unwind(|| Event::new().wait()).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().starts_with("LoopExit"));
}
