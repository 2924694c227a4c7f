//! Kills: who dies, who waits for it, and who refuses.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::{Greenlet, GreenletExit, KillError, State};

use crate::{as_local_data_goes, counter, guard, suspended_with};

#[test]
fn kill_runs_the_destructors_and_returns_to_the_killer() {
    let (guard, dropped) = guard();
    let g = suspended_with(guard);
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

// do-not-repeat.md: P1, where the parent's body got the exit as its argument
#[test]
fn an_exit_that_ends_a_child_does_not_start_its_parent() {
    let unstarted = || Greenlet::<u32>::new(|_| unreachable!("nobody sent it a value"));
    let suspended = |parent: &Greenlet<u32>| {
        let main = Greenlet::<u32>::current();
        let child = Greenlet::builder().parent(parent).build(move |n| main.switch(n));
        assert_eq!(child.switch(1), 1);
        child
    };
    // What comes of a kill is the killer's.
    let parent = unstarted();
    let child = suspended(&parent);
    child.kill().unwrap();
    assert_eq!((child.state(), parent.state()), (State::Dead, State::Unstarted));
    // What comes of a throw is the parent's, which cannot take it and passes it on.
    let child = suspended(&parent);
    assert!(child.try_throw(GreenletExit).unwrap_err().is_exit());
    assert_eq!((child.state(), parent.state()), (State::Dead, State::Dead));
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
fn killing_oneself_unwinds_from_there() {
    let (guard, dropped) = guard();
    let g = Greenlet::<()>::new(move |()| {
        let _guard = &guard;
        let _ = Greenlet::<()>::current().kill();
        unreachable!();
    });
    assert!(g.try_switch(()).unwrap_err().is_exit());
    assert_eq!(dropped.get(), 1);
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
fn who_is_killed_as_its_local_data_goes_gives_control_back_to_the_killer() {
    let main = Greenlet::<u32>::current();
    let parent = Greenlet::<u32>::new(|_| unreachable!("its child's result is the killer's"));
    let victim = Greenlet::<u32>::builder().parent(&parent).build(move |n| {
        as_local_data_goes(move || drop(main.try_switch(7)));
        n
    });
    assert_eq!(victim.switch(1), 7, "it has returned, and waits in a destructor");
    victim.kill().unwrap();
    assert_eq!((victim.state(), parent.state()), (State::Dead, State::Unstarted));
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
