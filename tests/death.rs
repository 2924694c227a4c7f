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

#[test]
fn an_unwound_greenlet_cannot_make_itself_its_own_ancestor() {
    let main = Greenlet::<()>::current();
    let parent = {
        let main = main.clone();
        Greenlet::new(move |()| main.switch(()))
    };
    parent.switch(());
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
fn a_killer_stands_in_for_the_parent_while_it_waits() {
    let main = Greenlet::<()>::current();
    let seen = Rc::new(Cell::new(false));
    let victim = {
        let seen = seen.clone();
        Greenlet::<()>::builder().build(move |()| {
            let _ = main.try_switch(());
            let killer = Greenlet::<()>::current().parent::<()>().unwrap();
            seen.set(killer.name().as_deref() == Some("killer"));
        })
    };
    victim.switch(());
    let killer = {
        let victim = victim.clone();
        Greenlet::builder().name("killer").build(move |()| victim.kill().unwrap())
    };
    killer.switch(());
    assert!(seen.get());
}

#[test]
fn a_root_that_is_killed_has_the_exit_raised_and_lives() {
    std::thread::spawn(|| {
        let root = Greenlet::<()>::current();
        let g = {
            let root = root.clone();
            Greenlet::<()>::new(move |()| assert!(matches!(root.kill(), Err(KillError::Refused))))
        };
        assert!(g.try_switch(()).unwrap_err().is_exit());
        assert!(root.is_root() && root.is_active());
        g.switch(());
        assert!(g.is_dead());
    })
    .join()
    .unwrap();
}

#[test]
fn a_value_that_a_killer_does_not_want_is_dropped_on_the_killers_side() {
    struct SwitchOnDrop(Greenlet<()>, Rc<Cell<u32>>);
    impl Drop for SwitchOnDrop {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            let _ = self.0.try_switch(());
        }
    }
    let main = Greenlet::<()>::current();
    let drops = counter();
    let killer_slot: Rc<RefCell<Option<Greenlet<()>>>> = Rc::default();
    let victim = {
        let (main, slot, drops) = (main.clone(), killer_slot.clone(), drops.clone());
        Greenlet::<()>::new(move |()| {
            let _ = main.try_switch(());
            let killer = slot.borrow().clone().unwrap();
            let _ = killer.cast::<SwitchOnDrop>().try_switch(SwitchOnDrop(killer.clone(), drops));
        })
    };
    victim.switch(());
    let killer = {
        let victim = victim.clone();
        Greenlet::<()>::new(move |()| assert!(victim.kill().is_err()))
    };
    *killer_slot.borrow_mut() = Some(killer.clone());
    killer.switch(());
    assert!(killer.is_dead());
    assert_eq!(drops.get(), 1);
    killer_slot.take();
}

#[test]
fn a_destructor_that_lets_go_of_an_ancestor_does_not_disturb_the_way_of_an_error() {
    struct Reparent(Rc<RefCell<Option<Greenlet<()>>>>);
    impl Drop for Reparent {
        fn drop(&mut self) {
            if let Some(g) = self.0.take() {
                g.set_parent(&Greenlet::<()>::root()).unwrap();
            }
        }
    }
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
fn a_long_chain_of_unstarted_parents_is_dropped_on_a_small_stack() {
    Greenlet::<()>::builder()
        .stack_size(64 * 1024)
        .build(|()| {
            let mut g = Greenlet::<()>::new(|()| ());
            for _ in 0..5000 {
                g = Greenlet::builder().parent(&g).build(|()| ());
            }
        })
        .switch(());
}

#[test]
fn a_kill_that_reaches_a_killer_is_raised_in_it() {
    let main = Greenlet::<()>::current();
    let stubborn = {
        let main = main.clone();
        Greenlet::<()>::new(move |()| {
            let _ = main.try_switch(());
            let _ = main.try_switch(());
        })
    };
    stubborn.switch(());
    let went_on = counter();
    let killer = {
        let (stubborn, went_on) = (stubborn.clone(), went_on.clone());
        Greenlet::<()>::new(move |()| {
            let _ = stubborn.kill();
            went_on.set(1);
        })
    };
    killer.switch(());
    assert_eq!(killer.state(), State::Suspended, "it waits for the stubborn one");
    assert_eq!(killer.try_throw("news").unwrap_err().message(), Some("news"));
    assert_eq!(went_on.get(), 0);
    assert!(killer.is_dead());
}

#[test]
fn a_second_killer_is_told_that_the_victim_is_taken() {
    let main = Greenlet::<()>::current();
    let victim = {
        let main = main.clone();
        Greenlet::<()>::new(move |()| {
            let _ = main.try_switch(());
            let _ = main.try_switch(());
        })
    };
    victim.switch(());
    let first = {
        let victim = victim.clone();
        Greenlet::<()>::new(move |()| victim.kill().unwrap())
    };
    first.switch(());
    assert!(matches!(victim.kill(), Err(KillError::Refused)));
    victim.try_switch(()).unwrap();
    assert!(victim.is_dead() && first.is_dead());
}

#[test]
fn a_payload_that_panics_when_it_is_dropped_stays_harmless() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("angry"));
        }
    }
    let main = Greenlet::<()>::current();
    let g = Greenlet::<()>::new(move |()| {
        let _ = main.try_switch(());
        std::panic::resume_unwind(Box::new(Angry));
    });
    g.switch(());
    drop(g);
}

#[test]
fn unwind_all_unwinds_what_is_suspended() {
    std::thread::spawn(|| {
        let dropped = counter();
        let (main, guard) = (Greenlet::<()>::current(), Dropped(dropped.clone()));
        let g = Greenlet::new(move |()| {
            let _guard = guard;
            main.switch(())
        });
        g.switch(());
        greenlet::unwind_all();
        assert!(g.is_dead());
        assert_eq!(dropped.get(), 1);
    })
    .join()
    .unwrap();
}

#[test]
fn who_drops_a_last_handle_while_it_has_none_itself_is_not_unwound_meanwhile() {
    let (main, dropped, went_on) =
        (Greenlet::<()>::current(), Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let victim = {
        let (main, guard) = (main.clone(), Dropped(dropped.clone()));
        Greenlet::<()>::new(move |()| {
            let _guard = guard;
            main.switch(())
        })
    };
    victim.switch(());
    let own: Rc<RefCell<Option<Greenlet>>> = Rc::default();
    let child: Rc<RefCell<Option<Greenlet>>> = Rc::default();
    let dropper = {
        let (own, child, went_on) = (own.clone(), child.clone(), went_on.clone());
        Greenlet::<()>::new(move |()| {
            main.switch(());
            // The child's end brought control here. Nothing refers to this greenlet any more.
            child.take().unwrap().set_parent(&main).unwrap();
            own.take();
            drop(victim);
            went_on.set(true);
        })
    };
    dropper.switch(());
    let last = Greenlet::<()>::builder().parent(&dropper).build(|()| ());
    *child.borrow_mut() = Some(last.clone());
    *own.borrow_mut() = Some(dropper);
    assert!(last.try_switch(()).is_ok(), "the dropper's result: nothing was raised in it or in main");
    assert!(went_on.get());
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_throw_that_passes_through_an_unstarted_greenlet_keeps_no_ancestor_while_it_waits() {
    let (main, dropped) = (Greenlet::<()>::current(), Rc::new(Cell::new(0)));
    let parent = {
        let (main, guard) = (main.clone(), Dropped(dropped.clone()));
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

#[test]
fn an_error_may_pass_a_parent_whose_destructor_lets_go_of_the_rest_of_the_way() {
    struct Reparent(Rc<RefCell<Option<Greenlet<()>>>>);
    impl Drop for Reparent {
        fn drop(&mut self) {
            if let Some(g) = self.0.take() {
                g.set_parent(&Greenlet::<()>::root()).unwrap();
            }
        }
    }
    let main = Greenlet::<()>::current();
    let (dropped, heard) = (counter(), counter());
    let grandparent = {
        let (guard, heard) = (Dropped(dropped.clone()), heard.clone());
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
    g.try_switch(()).unwrap();
    assert_eq!((heard.get(), dropped.get()), (1, 1));
}
