//! The corners of greenlet's semantics that are easiest to get wrong, by their numbers in the table
//! in `main.rs`: those that other tests leave.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;

use greenlet::trace::{self, EventKind};
use greenlet::{Greenlet, GreenletExit, KillError, ParentError, State, WeakGreenlet};

use crate::{Log, OnDrop};

// 2
#[test]
fn a_body_that_takes_an_unstarted_parent_starts_it_with_its_result() {
    let late = Greenlet::<u32>::new(|n| n + 1000);
    let g = {
        let late = late.clone();
        Greenlet::<u32>::new(move |n| {
            Greenlet::<u32>::current().set_parent(&late).unwrap();
            n * 2
        })
    };
    assert_eq!(g.switch(4), 1008);
    assert!(late.is_dead());
}

// 2
#[test]
fn a_panic_goes_to_the_parent_that_was_set_last_too() {
    let main = Greenlet::<u32>::current();
    let late = Greenlet::new(move |n: u32| main.try_switch(n).map_or(77, |n| n));
    late.switch(0);
    let g = {
        let late = late.clone();
        Greenlet::<u32>::new(move |_| {
            Greenlet::<u32>::current().set_parent(&late).unwrap();
            panic_any("for the new one")
        })
    };
    assert_eq!(g.switch(0), 77);
}

// 3
#[test]
fn a_switch_to_a_dead_greenlet_starts_or_continues_the_first_ancestor_that_is_not_dead() {
    let main = Greenlet::<u32>::current();
    let grandparent = Greenlet::new(move |n: u32| main.switch(n + 1) + 2);
    let parent = Greenlet::<u32>::builder().parent(&grandparent).build(|n| n);
    let dead = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    for g in [&dead, &parent] {
        g.kill().unwrap();
    }
    assert_eq!(dead.switch(10), 11, "started");
    assert_eq!(dead.switch(20), 22, "continued");
    assert_eq!(dead.switch(30), 30, "past all three");
}

// 4
#[test]
fn an_exit_for_an_unstarted_greenlet_surfaces_at_its_parent_as_an_exit() {
    let g = Greenlet::<u32>::new(|_| unreachable!());
    let thrower = {
        let g = g.clone();
        Greenlet::<u32>::new(move |_| g.throw(GreenletExit))
    };
    assert!(thrower.try_switch(0).unwrap_err().is_exit(), "main is the parent of g");
    assert!(g.is_dead());
    assert_eq!(thrower.state(), State::Suspended);
}

// 4
#[test]
fn a_kill_of_an_unstarted_greenlet_is_between_it_and_the_killer() {
    let captured = Rc::new(());
    let parent = Greenlet::<()>::new(|()| unreachable!());
    let g = {
        let captured = captured.clone();
        Greenlet::<()>::builder().parent(&parent).build(move |()| drop(captured))
    };
    g.kill().unwrap();
    assert_eq!((g.state(), parent.state()), (State::Dead, State::Unstarted));
    assert_eq!(Rc::strong_count(&captured), 1);
}

// 5
#[test]
fn an_error_for_a_dead_greenlet_is_raised_in_its_first_living_ancestor() {
    let main = Greenlet::<u32>::current();
    let parent = Greenlet::new(move |n: u32| main.try_switch(n).map_or(5, |n| n));
    parent.switch(0);
    let dead = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    dead.kill().unwrap();
    dead.kill().unwrap();
    assert!(parent.is_active(), "a kill of the dead reaches nobody");
    assert_eq!(dead.throw("error"), 5);
    assert_eq!(dead.try_throw("again").unwrap_err().message(), Some("again"));
}

// 6
#[test]
fn an_exit_that_escapes_is_told_from_an_error_by_the_parent() {
    let ends = |payload: fn() -> Box<dyn std::any::Any + Send>| {
        Greenlet::<()>::new(move |()| resume_unwind(payload())).try_switch(()).unwrap_err()
    };
    assert!(ends(|| Box::new(GreenletExit)).is_exit());
    assert!(!ends(|| Box::new("error")).is_exit());
    let to_oneself = catch_unwind(|| Greenlet::<()>::current().throw(GreenletExit)).unwrap_err();
    assert!(to_oneself.is::<GreenletExit>());
}

// 7
#[test]
fn what_a_dropped_greenlet_returns_goes_to_nobody() {
    let parent = {
        let main = Greenlet::<u32>::current();
        Greenlet::new(move |n: u32| main.switch(n))
    };
    parent.switch(0);
    let main = Greenlet::<u32>::current();
    let g = Greenlet::<u32>::builder().parent(&parent).build(move |n| {
        assert!(main.try_switch(n).unwrap_err().is_exit());
        99
    });
    g.switch(0);
    drop(g);
    assert_eq!(parent.state(), State::Suspended);
    assert_eq!(parent.switch(3), 3, "it still waits for its first value");
}

// 8
#[test]
fn a_greenlet_that_loses_its_last_handle_while_it_runs_is_unwound_when_it_is_left() {
    type Values = [u64; 4];
    let (log, main) = (Log::default(), Greenlet::<Values>::current());
    let child = Greenlet::<Values>::without_body();
    let g = {
        let (log, child) = (log.clone(), child.downgrade());
        Greenlet::<Values>::new(move |values| {
            let on_drop = log.clone();
            let _on_drop = OnDrop(move || on_drop.push("unwound"));
            // The link of the child that started it is all that refers to it.
            child.upgrade().unwrap().set_parent(&main).unwrap();
            log.push("forgotten");
            main.switch(values.map(|value| value + 1))
        })
    };
    child.set_body(|values| values.map(|value| value + 4));
    child.set_parent(&g).unwrap();
    let weak = g.downgrade();
    drop(g);
    let value = child.switch([0; 4]);
    log.push("main goes on");
    assert_eq!(value, [5; 4]);
    assert_eq!(log.take(), ["forgotten", "unwound", "main goes on"]);
    assert!(weak.upgrade().is_none());
}

// 9
#[test]
fn a_kill_tells_the_killer_what_the_victim_panicked_with() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        let _ = main.try_switch(());
        panic_any("instead of the exit");
    });
    g.switch(());
    match g.kill() {
        Err(KillError::Panicked(raised)) => assert_eq!(raised.message(), Some("instead of the exit")),
        other => panic!("{other:?}"),
    }
    assert!(g.is_dead());
}

// 10
#[test]
fn an_exit_under_an_unstarted_parent_ends_that_parent_and_goes_on() {
    let parent = Greenlet::<u32>::new(|_| unreachable!());
    let child = Greenlet::<u32>::builder().parent(&parent).build(|_| resume_unwind(Box::new(GreenletExit)));
    assert!(child.try_switch(0).unwrap_err().is_exit());
    assert!(child.is_dead() && parent.is_dead());
}

// 12
#[test]
fn a_hook_is_told_before_a_body_starts_and_before_a_value_is_returned() {
    let log = Log::default();
    let main = Greenlet::<()>::current();
    let g = {
        let log = log.clone();
        Greenlet::new(move |()| {
            log.push("body starts");
            main.switch(());
            log.push("value is there");
        })
    };
    let told = log.clone();
    trace::set(move |event| {
        let back = event.target().is_root();
        told.push(if back { "told of the way back" } else { "told of the way in" });
    });
    g.switch(());
    g.switch(());
    trace::clear();
    let round = |inside| ["told of the way in", inside, "told of the way back"];
    assert_eq!(log.take(), [round("body starts"), round("value is there")].concat());
}

// 12
#[test]
fn a_death_under_dead_ancestors_is_told_with_the_one_that_receives_it() {
    let log = Log::default();
    let parent = Greenlet::<()>::new(|()| ());
    let g = Greenlet::<()>::builder().parent(&parent).build(|()| resume_unwind(Box::new("error")));
    parent.kill().unwrap();
    let (root, id) = (Greenlet::<()>::root().id(), g.id());
    let told = log.clone();
    trace::set(move |event| told.push((event.kind(), event.origin().id(), event.target().id())));
    g.try_switch(()).unwrap_err();
    g.switch(());
    trace::clear();
    let expected =
        [(EventKind::Switch, root, id), (EventKind::Throw, id, root), (EventKind::Switch, root, root)];
    assert_eq!(log.take(), expected);
}

// 14
#[test]
fn a_refused_parent_leaves_the_old_link_and_a_dead_greenlet_may_change_its_own() {
    let main = Greenlet::<u32>::current();
    let dead = Greenlet::<u32>::new(|n| n);
    dead.switch(0);
    let other = Greenlet::new(move |n: u32| main.switch(n) * 2);
    other.switch(0);
    assert!(dead.set_parent(&dead).is_err());
    assert_eq!(dead.switch(1), 1, "to main, as before");
    dead.set_parent(&other).unwrap();
    assert_eq!(dead.switch(1), 2);
}

// 14
#[test]
fn a_refused_parent_leaves_the_link_to_an_old_one_that_is_not_the_root() {
    let old = Greenlet::<()>::new(|()| ());
    let g = Greenlet::<()>::builder().parent(&old).build(|()| ());
    let child = Greenlet::<()>::builder().parent(&g).build(|()| ());
    assert_eq!(g.set_parent(&child), Err(ParentError::Cycle));
    assert_eq!(g.parent::<()>(), Some(old));
}

// 15
#[test]
fn a_panic_is_never_caught_by_the_frames_that_started_the_greenlet() {
    let (main, caught_by_starter) = (Greenlet::<u32>::current(), Rc::new(Cell::new(false)));
    // Its parent is main.
    let g = {
        let main = main.clone();
        Greenlet::<u32>::new(move |n| {
            main.switch(n);
            panic_any("late")
        })
    };
    let starter = {
        let (g, caught) = (g.clone(), caught_by_starter.clone());
        Greenlet::<u32>::new(move |n| {
            let result = catch_unwind(AssertUnwindSafe(|| g.switch(n)));
            caught.set(result.is_err());
            0
        })
    };
    assert_eq!(starter.switch(1), 1);
    assert_eq!(g.try_switch(2).unwrap_err().message(), Some("late"));
    assert_eq!(starter.state(), State::Suspended);
    assert!(!caught_by_starter.get());
}

// Runner-up: active to the last destructor
#[test]
fn a_greenlet_is_active_while_its_last_destructors_run() {
    for kill in [true, false] {
        let log = Log::default();
        let (told, main) = (log.clone(), Greenlet::<()>::current());
        let own: Rc<Cell<Option<WeakGreenlet>>> = Rc::default();
        let in_body = own.clone();
        let g = Greenlet::new(move |()| {
            let me = in_body.take().unwrap();
            let _on_drop = OnDrop(move || told.push(me.upgrade().is_some_and(|me| me.is_active())));
            main.switch(());
        });
        own.set(Some(g.downgrade()));
        g.switch(());
        if kill {
            g.kill().unwrap()
        } else {
            g.switch(())
        }
        assert_eq!(log.take(), [true]);
        assert!(!g.is_active());
    }
}

// Runner-up: a switch returns what whoever comes back brings
#[test]
fn a_switch_returns_what_anybody_sends_and_not_what_its_target_does() {
    let main = Greenlet::<u32>::current();
    let third = Greenlet::new(move |n: u32| main.switch(n + 1));
    let target = {
        let third = third.clone();
        Greenlet::<u32>::new(move |n| third.switch(n * 10))
    };
    assert_eq!(target.switch(4), 41, "from the third one");
    assert_eq!((target.state(), third.state()), (State::Suspended, State::Suspended));
    let late = Greenlet::<u32>::builder().parent(&target).build(|n| n + 2);
    assert_eq!(late.switch(5), 7, "the target, which returns what its child does");
    assert!(target.is_dead() && third.is_active());
}

// Runner-up: each has a stack of its own
#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer has locals elsewhere")]
fn a_greenlet_that_is_started_deep_down_has_its_whole_stack() {
    const ROOM: usize = 256 * 1024;
    /// Calls `f` with half of such a stack in use below `top`.
    #[inline(never)]
    fn with_half_in_use(top: usize, f: &mut dyn FnMut()) {
        let frame = std::hint::black_box([0_u8; 1024]);
        let used = top - frame.as_ptr().addr();
        if used > ROOM / 2 {
            f()
        } else {
            with_half_in_use(top, f)
        }
        std::hint::black_box(frame);
    }
    let reached = Rc::new(Cell::new(0));
    let deeper = {
        let reached = reached.clone();
        move |level: u32, next: Option<Greenlet>| {
            let reached = reached.clone();
            Greenlet::<()>::builder().stack_size(ROOM).build(move |()| {
                let top = 0_u8;
                with_half_in_use(std::ptr::from_ref(&top).addr() + ROOM / 16, &mut || {
                    reached.set(level);
                    if let Some(next) = &next {
                        next.switch(());
                    }
                });
            })
        }
    };
    let third = deeper(3, None);
    let second = deeper(2, Some(third.clone()));
    deeper(1, Some(second)).switch(());
    assert_eq!(reached.get(), 3);
    assert!(third.is_dead());
}
