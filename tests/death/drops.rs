//! Last handles, and the ends of threads.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use greenlet::{Greenlet, Raised, State, SwitchError};

use crate::{guard, suspended_with};

#[test]
fn dropping_the_last_handle_unwinds_a_suspended_greenlet_there_and_then() {
    let (guard, dropped) = guard();
    let g = suspended_with(guard);
    assert_eq!(dropped.get(), 0);
    let other = g.clone();
    drop(g);
    assert_eq!(dropped.get(), 0);
    drop(other);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn dropping_an_unstarted_greenlet_drops_its_body() {
    let (guard, dropped) = guard();
    drop(Greenlet::<()>::new(move |()| drop(guard)));
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_body_that_is_dropped_unrun_finds_its_greenlet_dead() {
    struct Look(Rc<RefCell<Option<Greenlet>>>, Rc<Cell<Option<State>>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.1.set(self.0.borrow().as_ref().map(Greenlet::state));
        }
    }
    for throw in [true, false] {
        let (own, seen) = (Rc::default(), Rc::new(Cell::new(None)));
        let look = Look(Rc::clone(&own), seen.clone());
        let g = Greenlet::<()>::new(move |()| drop(look));
        *own.borrow_mut() = Some(g.clone());
        if throw {
            assert!(g.try_throw("error").is_err());
        } else {
            g.kill().unwrap();
        }
        assert_eq!(seen.get(), Some(State::Dead));
        own.take();
    }
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
    let parent = suspended_with(Note("parent", order.clone()));
    let child = suspended_with(Note("child", order.clone()));
    child.set_parent(&parent).unwrap();
    drop(parent);
    assert!(order.borrow().is_empty());
    drop(child);
    assert_eq!(*order.borrow(), ["child", "parent"]);
}

#[test]
fn a_greenlet_dropped_while_its_holder_panics_is_unwound_and_the_panic_goes_on() {
    let (guard, dropped) = guard();
    let g = suspended_with(guard);
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
fn who_drops_a_last_handle_while_it_has_none_itself_is_not_unwound_meanwhile() {
    let (main, went_on) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let (guard, dropped) = guard();
    let victim = suspended_with(guard);
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
            let g = suspended_with(Tell(sender.clone()));
            KEPT.with_borrow_mut(|kept| kept.push(g));
        }
    })
    .join()
    .unwrap();
    assert_eq!(receiver.iter().count(), 10);
}

#[test]
fn unwind_all_unwinds_what_is_suspended() {
    std::thread::spawn(|| {
        let (guard, dropped) = guard();
        let g = suspended_with(guard);
        greenlet::unwind_all();
        assert!(g.is_dead());
        assert_eq!(dropped.get(), 1);
    })
    .join()
    .unwrap();
}

#[test]
fn unwind_all_unwinds_what_is_suspended_while_it_unwinds_others() {
    std::thread::spawn(|| {
        let ((guard, dropped), late) = (guard(), Rc::new(RefCell::new(None)));
        let root = Greenlet::<()>::current();
        let room_before_it = Greenlet::<()>::new(|()| ());
        let g = Greenlet::<()>::new({
            let late = late.clone();
            move |()| {
                let _ = root.try_switch(());
                *late.borrow_mut() = Some(suspended_with(guard));
            }
        });
        g.switch(());
        drop(room_before_it);
        greenlet::unwind_all();
        assert!(late.take().is_some_and(|late| late.is_dead()));
        assert_eq!(dropped.get(), 1);
    })
    .join()
    .unwrap();
}

#[test]
fn only_the_root_unwinds_all_others() {
    let g = Greenlet::<()>::new(|()| greenlet::unwind_all());
    let raised = g.try_switch(()).unwrap_err();
    assert_eq!(raised.message(), Some("only the root greenlet can unwind all others"));
}

#[test]
fn who_is_unwound_at_the_end_of_its_thread_can_switch_to_nobody_however_often_it_tries() {
    thread_local! {
        static HANDLE: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
    }
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        HANDLE.with(|_| ()); // before there is any greenlet, so that it is destroyed after their end
        let root = Greenlet::<()>::current();
        let g = Greenlet::<()>::new(move |()| {
            // It leaves a stack for the next one.
            Greenlet::<()>::new(|()| ()).switch(());
            let _ = root.try_switch(());
            let other = Greenlet::<()>::new(|()| ());
            for _ in 0..3 {
                let refused = other.try_switch(()).err();
                let refusal = refused.as_ref().and_then(Raised::refusal);
                tell.send(matches!(refusal, Some(SwitchError::ThreadEnding))).unwrap();
            }
        });
        g.switch(());
        HANDLE.set(Some(g));
    })
    .join()
    .unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), [true; 3]);
}

#[test]
fn of_two_who_wait_for_each_other_to_be_unwound_one_is_when_their_thread_ends() {
    let held = Arc::new(());
    let guards = [held.clone(), held.clone()];
    std::thread::spawn(move || {
        let [of_victim, of_killer] = guards;
        let killer = Rc::new(RefCell::new(None::<Greenlet>));
        let its_killer = killer.clone();
        let victim = Greenlet::new(move |()| {
            let _held = of_victim;
            let root = Greenlet::<()>::root();
            let _ = catch_unwind(AssertUnwindSafe(|| root.switch(())));
            let killer = its_killer.take().unwrap();
            let target = killer.clone();
            greenlet::trace::set(move |event| {
                // On the killer's stack, before it learns that it is to end.
                if event.target() == &target {
                    greenlet::trace::clear();
                    root.switch(());
                }
            });
            let _ = killer.kill();
        });
        victim.switch(());
        let its_victim = victim.clone();
        let last = Greenlet::new(move |()| {
            let _held = of_killer;
            let _ = its_victim.kill();
        });
        killer.replace(Some(last.clone()));
        last.switch(());
        std::mem::forget([victim, last]);
    })
    .join()
    .unwrap();
    assert_eq!(Arc::strong_count(&held), 2, "the other one was abandoned");
}

/// Is refused, because what it is for was abandoned.
fn is_abandoned<T: std::fmt::Debug>(tried: Result<T, Raised>) -> bool {
    matches!(tried.unwrap_err().refusal(), Some(SwitchError::Abandoned))
}

#[test]
fn who_refuses_to_be_unwound_is_never_continued() {
    std::thread::spawn(|| {
        let root = Greenlet::<u32>::current();
        let stubborn = Greenlet::<u32>::new(move |_| {
            loop {
                let _ = root.try_switch(1);
            }
        });
        assert_eq!(stubborn.switch(0), 1);
        greenlet::unwind_all();
        assert!(is_abandoned(stubborn.try_switch(0)));
        // What a child of it leaves goes to the next ancestor.
        let child = Greenlet::<u32>::builder().parent(&stubborn).build(|_| 7);
        assert_eq!(child.switch(0), 7);
    })
    .join()
    .unwrap();
}

#[test]
fn who_is_being_unwound_by_somebody_that_is_abandoned_is_unwound_by_others() {
    std::thread::spawn(|| {
        let (guard, dropped) = guard();
        let root = Greenlet::<()>::current();
        let late = Greenlet::<()>::new(move |()| {
            let _guard = guard;
            let mut raised = 0;
            while raised < 3 {
                raised += u32::from(root.try_switch(()).is_err());
            }
        });
        late.switch(());
        let stubborn = Greenlet::<()>::new({
            let late = late.clone();
            move |()| {
                loop {
                    let raised = catch_unwind(AssertUnwindSafe(|| late.kill()));
                    std::mem::forget(raised);
                }
            }
        });
        stubborn.switch(());
        greenlet::unwind_all();
        assert!(is_abandoned(stubborn.try_switch(())));
        assert!(late.kill().is_ok() || late.kill().is_ok());
        assert_eq!(dropped.get(), 1);
    })
    .join()
    .unwrap();
}
