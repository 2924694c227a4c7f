//! Panics and throws: the way of an error.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, Raised, State, SwitchError};

use crate::{OnDrop, counter, guard, suspended_with};

/// Makes the root the parent of a greenlet, when it is dropped.
struct Reparent(Rc<RefCell<Option<Greenlet>>>);

impl Drop for Reparent {
    fn drop(&mut self) {
        if let Some(g) = self.0.take() {
            g.set_parent(&Greenlet::<()>::root()).unwrap();
        }
    }
}

#[test]
fn a_panic_is_delivered_to_the_parent() {
    let g = Greenlet::<()>::new(|()| panic!("boom {}", 7));
    let raised = g.try_switch(()).unwrap_err();
    assert_eq!(raised.message(), Some("boom 7"));
    assert!(g.is_dead());
}

#[test]
fn switch_unwinds_the_parent_with_the_payload_of_the_child() {
    let g = Greenlet::<()>::new(|()| std::panic::panic_any(42_u8));
    let payload = catch_unwind(AssertUnwindSafe(|| g.switch(()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&42_u8));
}

#[test]
fn throw_unwinds_the_pending_switch_and_the_result_goes_to_the_parent() {
    let (guard, dropped) = guard();
    let g = suspended_with(guard);
    let raised = g.try_throw("stop").unwrap_err();
    assert_eq!(raised.message(), Some("stop"));
    assert_eq!(dropped.get(), 1);
    assert!(g.is_dead());
}

#[test]
fn a_thrown_error_can_be_caught_where_the_target_waits() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| match main.try_switch(n) {
        Err(raised) if raised.message() == Some("stop") => 99,
        _ => 0,
    });
    g.switch(1);
    assert_eq!(g.throw("stop"), 99);
}

#[test]
fn throw_into_an_unstarted_greenlet_never_runs_it_and_surfaces_at_its_parent() {
    let ((guard, dropped), ran) = (guard(), counter());
    let g = {
        let ran = ran.clone();
        Greenlet::<u32>::new(move |n| {
            let _guard = &guard;
            ran.set(1);
            n
        })
    };
    let thrower = {
        let g = g.clone();
        Greenlet::<u32>::new(move |_| g.throw("error"))
    };
    let raised = thrower.try_switch(0).unwrap_err();
    assert_eq!(raised.message(), Some("error"), "main is the parent of g");
    assert_eq!((ran.get(), dropped.get()), (0, 1));
    assert!(g.is_dead());
    assert_eq!(thrower.state(), State::Suspended);
}

#[test]
fn an_exit_that_escapes_the_body_is_told_to_the_parent_as_an_exit() {
    let g = Greenlet::<()>::new(|()| std::panic::resume_unwind(Box::new(GreenletExit)));
    assert!(g.try_switch(()).unwrap_err().is_exit());
}

#[test]
fn switching_from_a_destructor_while_unwinding_is_refused() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| main.switch(n));
    g.switch(0);
    struct SwitchOnDrop(Greenlet<u32>, Rc<Cell<u32>>);
    impl Drop for SwitchOnDrop {
        fn drop(&mut self) {
            let refused = self.0.try_switch(1).unwrap_err();
            assert!(matches!(refused.refusal(), Some(SwitchError::Unwinding)));
            self.1.set(1);
        }
    }
    let tried = counter();
    let on_drop = SwitchOnDrop(g.clone(), tried.clone());
    let _ = catch_unwind(AssertUnwindSafe(move || {
        let _held = on_drop;
        panic!("outer");
    }));
    assert_eq!(tried.get(), 1);
    assert_eq!(g.switch(5), 5);
}

#[test]
fn a_destructor_that_lets_go_of_an_ancestor_does_not_disturb_the_way_of_an_error() {
    let slot = Rc::new(RefCell::new(None));
    let reparent = Reparent(slot.clone());
    let grandparent = Greenlet::<()>::new(|()| unreachable!());
    let parent = Greenlet::<()>::builder().parent(&grandparent).build(move |()| drop(reparent));
    let g = Greenlet::<()>::builder().parent(&parent).build(|()| ());
    g.kill().unwrap();
    drop(parent);
    *slot.borrow_mut() = Some(g.clone());
    assert_eq!(g.try_throw("error").unwrap_err().message(), Some("error"));
    assert!(grandparent.is_dead(), "the error passed through it");
}

#[test]
fn a_throw_that_passes_through_an_unstarted_greenlet_keeps_no_ancestor_while_it_waits() {
    let (main, (guard, dropped)) = (Greenlet::<()>::current(), guard());
    let parent = {
        let main = main.clone();
        Greenlet::<()>::new(move |()| {
            let _guard = guard;
            let _ = main.try_switch(());
            main.switch(());
        })
    };
    parent.switch(());
    let unstarted = Greenlet::<()>::builder().parent(&parent).build(|()| ());
    let thrower = {
        let unstarted = unstarted.clone();
        Greenlet::<()>::new(move |()| unstarted.throw("error"))
    };
    thrower.switch(());
    // The parent has caught it and waits, and so does the thrower.
    unstarted.set_parent(&main).unwrap();
    assert_eq!(dropped.get(), 0);
    drop(parent);
    assert_eq!(dropped.get(), 1, "that was the last handle");
}

/// Has an error come from `g`, for a parent whose destructor lets go of the rest of the way.
fn error_on_a_way_that_goes(error_from: impl FnOnce(&Greenlet) -> Result<(), Raised>) {
    let main = Greenlet::<()>::current();
    let ((guard, dropped), heard) = (guard(), counter());
    let grandparent = {
        let heard = heard.clone();
        Greenlet::<()>::new(move |()| {
            let _guard = guard;
            heard.set(u32::from(main.try_switch(()).is_err()));
        })
    };
    grandparent.switch(());
    let slot = Rc::new(RefCell::new(None));
    let reparent = Reparent(slot.clone());
    let parent = Greenlet::<()>::builder().parent(&grandparent).build(move |()| drop(reparent));
    let g = Greenlet::<()>::builder().parent(&parent).build(|()| panic!("error"));
    drop((parent, grandparent));
    *slot.borrow_mut() = Some(g.clone());
    // The error ends the parent, whose destructor makes it, and the grandparent, unreferenced. The
    // grandparent is the next on the way all the same.
    error_from(&g).unwrap();
    assert_eq!((heard.get(), dropped.get()), (1, 1));
}

#[test]
fn an_error_may_pass_a_parent_whose_destructor_lets_go_of_the_rest_of_the_way() {
    error_on_a_way_that_goes(|g| g.try_switch(()));
}

#[test]
fn a_throw_at_a_dead_greenlet_may_pass_such_a_parent_too() {
    error_on_a_way_that_goes(|g| {
        g.kill().unwrap();
        g.try_throw("error")
    });
}

#[test]
fn a_throw_whose_destructors_have_switched_away_goes_no_further_in_somebodys_panic() {
    let root = Greenlet::<()>::root();
    let leave = {
        let root = root.clone();
        OnDrop(move || drop(root.try_switch(())))
    };
    let unstarted = Greenlet::<()>::new(move |()| drop(leave));
    let was_refused = Rc::new(Cell::new(false));
    let thrower = Greenlet::<()>::new({
        let was_refused = was_refused.clone();
        // What it is to drop first is left in the midst of that.
        move |()| {
            let raised = unstarted.try_throw("for the root").unwrap_err();
            was_refused.set(matches!(raised.refusal(), Some(SwitchError::Unwinding)));
        }
    });
    thrower.switch(());
    let panics = Greenlet::<()>::new(move |()| {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let mut thrower = Some(thrower);
            let _on_drop = OnDrop(|| drop(thrower.take()));
            std::panic::resume_unwind(Box::new("on its way"));
        }));
        assert!(unwound.is_err());
    });
    let came_back = panics.try_switch(());
    assert!(!std::thread::panicking());
    came_back.unwrap();
    assert!(was_refused.get());
}
