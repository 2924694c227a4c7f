//! Panics, throws, kills and drops: how a greenlet ends and who hears of it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, KillError, ParentError, State, SwitchError};

/// Counts drops.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn counter() -> Rc<Cell<u32>> {
    Rc::new(Cell::new(0))
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
    let main = Greenlet::<u32>::current();
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    let g = Greenlet::new(move |n: u32| {
        let _guard = guard;
        main.switch(n)
    });
    g.switch(1);
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
    let dropped = counter();
    let (ran, guard) = (counter(), Dropped(dropped.clone()));
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
fn kill_runs_the_destructors_and_returns_to_the_killer() {
    let main = Greenlet::<()>::current();
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    let g = Greenlet::new(move |()| {
        let _guard = guard;
        main.switch(())
    });
    g.switch(());
    let killer = {
        let g = g.clone();
        Greenlet::<u32>::new(move |n| {
            g.kill().unwrap();
            n + 1
        })
    };
    assert_eq!(killer.switch(1), 2);
    assert_eq!(dropped.get(), 1);
    assert!(g.is_dead());
    g.kill().unwrap();
}

#[test]
fn a_killed_greenlet_may_refuse_to_die() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| {
        let raised = main.try_switch(n).unwrap_err();
        assert!(raised.is_exit());
        main.switch(7)
    });
    g.switch(0);
    assert!(matches!(g.kill(), Err(KillError::Refused)));
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.parent::<u32>(), Some(Greenlet::root()), "the old parent is restored");
    assert_eq!(g.switch(9), 9);
}

#[test]
fn an_exit_that_escapes_the_body_is_told_to_the_parent_as_an_exit() {
    let g = Greenlet::<()>::new(|()| std::panic::resume_unwind(Box::new(GreenletExit)));
    assert!(g.try_switch(()).unwrap_err().is_exit());
}

#[test]
fn killing_oneself_unwinds_from_there() {
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    let g = Greenlet::<()>::new(move |()| {
        let _guard = &guard;
        let _ = Greenlet::<()>::current().kill();
        unreachable!();
    });
    assert!(g.try_switch(()).unwrap_err().is_exit());
    assert_eq!(dropped.get(), 1);
}

#[test]
fn dropping_the_last_handle_unwinds_a_suspended_greenlet_there_and_then() {
    let main = Greenlet::<()>::current();
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    let g = Greenlet::new(move |()| {
        let _guard = guard;
        main.switch(())
    });
    g.switch(());
    assert_eq!(dropped.get(), 0);
    let other = g.clone();
    drop(g);
    assert_eq!(dropped.get(), 0);
    drop(other);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn dropping_an_unstarted_greenlet_drops_its_body() {
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    drop(Greenlet::<()>::new(move |()| drop(guard)));
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_greenlet_that_dropped_its_own_last_handle_is_unwound_before_the_switch_it_made_returns() {
    let main = Greenlet::<[u64; 4]>::current();
    let dropped = counter();
    let own: Rc<RefCell<Option<Greenlet<[u64; 4]>>>> = Rc::default();
    let g = {
        let (own, guard) = (own.clone(), Dropped(dropped.clone()));
        Greenlet::new(move |_| {
            let _guard = guard;
            own.borrow_mut().take();
            main.switch([5; 4])
        })
    };
    *own.borrow_mut() = Some(g.clone());
    // Only the cell and the greenlet itself know of it once it runs.
    let start = move || g.switch([0; 4]);
    let handle_of_main = start;
    let value = {
        let moved = handle_of_main;
        moved()
    };
    assert_eq!(value, [5; 4]);
    assert_eq!(dropped.get(), 1, "the handle in the closure went with the call");
}

#[test]
fn dropping_a_chain_unwinds_the_child_and_then_the_parent() {
    let order: Rc<RefCell<Vec<&str>>> = Rc::default();
    struct Note(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let main = Greenlet::<()>::current();
    let parent = {
        let (note, main) = (Note("parent", order.clone()), main.clone());
        Greenlet::new(move |()| {
            let _note = note;
            main.switch(())
        })
    };
    parent.switch(());
    let child = {
        let note = Note("child", order.clone());
        Greenlet::<()>::builder().parent(&parent).build(move |()| {
            let _note = note;
            main.switch(())
        })
    };
    child.switch(());
    drop(parent);
    assert!(order.borrow().is_empty());
    drop(child);
    assert_eq!(*order.borrow(), ["child", "parent"]);
}

#[test]
fn a_greenlet_dropped_while_its_holder_panics_is_unwound_and_the_panic_goes_on() {
    let main = Greenlet::<()>::current();
    let dropped = counter();
    let guard = Dropped(dropped.clone());
    let g = Greenlet::new(move |()| {
        let _guard = guard;
        main.switch(())
    });
    g.switch(());
    let payload = catch_unwind(AssertUnwindSafe(move || {
        let _held = g;
        panic!("outer");
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"outer"));
    assert_eq!(dropped.get(), 1);
    assert!(!std::thread::panicking());
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
fn set_parent_refuses_cycles_and_roots() {
    let a = Greenlet::<()>::new(|()| ());
    let b = Greenlet::<()>::builder().parent(&a).build(|()| ());
    assert_eq!(a.set_parent(&a), Err(ParentError::Cycle));
    assert_eq!(a.set_parent(&b), Err(ParentError::Cycle));
    assert_eq!(a.parent::<()>(), Some(Greenlet::root()));
    assert_eq!(Greenlet::<()>::root().set_parent(&a), Err(ParentError::Root));
}

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
fn a_greenlet_without_a_body_is_not_started_and_can_be_given_one() {
    let g = Greenlet::<u32>::without_body();
    let refused = g.try_switch(1).unwrap_err();
    assert!(matches!(refused.refusal(), Some(SwitchError::NoBody)));
    assert_eq!(g.state(), State::Unstarted);
    g.set_body(|n| n + 1);
    assert_eq!(g.switch(1), 2);
}

#[test]
fn suspended_greenlets_are_unwound_when_their_thread_ends() {
    thread_local! {
        static KEPT: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        struct Tell(std::sync::mpsc::Sender<()>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.send(()).unwrap();
            }
        }
        for _ in 0..10 {
            let (main, tell) = (Greenlet::<()>::current(), Tell(sender.clone()));
            let g = Greenlet::new(move |()| {
                let _tell = tell;
                main.switch(())
            });
            g.switch(());
            KEPT.with_borrow_mut(|kept| kept.push(g));
        }
    })
    .join()
    .unwrap();
    assert_eq!(receiver.iter().count(), 10);
}
