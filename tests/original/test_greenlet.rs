//! The rows of `test_greenlet.py`.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use greenlet::{Greenlet, ParentError, State, SwitchError, trace};

use crate::{Log, OnDrop, suspended};

// test_greenlet.py::TestGreenlet::test_parent_equals_None
#[test]
fn the_parent_is_the_maker_unless_another_one_is_named() {
    let other = Greenlet::<()>::new(|()| ());
    let named = Greenlet::<()>::builder().parent(&other).build(|()| ());
    assert_eq!(named.parent::<()>(), Some(other));
    let maker = Greenlet::<()>::new(|()| {
        let made = Greenlet::<()>::new(|()| ());
        assert_eq!(made.parent::<()>(), Some(Greenlet::current()));
    });
    assert_eq!(maker.parent::<()>(), Some(Greenlet::current()));
    maker.switch(());
}

// test_greenlet.py::TestGreenlet::test_two_children
#[test]
fn two_children_are_suspended_and_go_on_in_turn() {
    let (log, main) = (Log::default(), Greenlet::<()>::current());
    let child = |first, second| {
        let (log, main) = (log.clone(), main.clone());
        Greenlet::new(move |()| {
            log.push(first);
            main.switch(());
            log.push(second);
        })
    };
    let (a, b) = (child(1, 3), child(2, 4));
    for g in [&a, &b, &a, &b] {
        assert!(!g.is_dead());
        g.switch(());
    }
    assert_eq!(log.take(), [1, 2, 3, 4]);
    assert!(a.is_dead() && b.is_dead());
}

// test_greenlet.py::TestGreenlet::test_two_recursive_children
#[test]
fn a_child_runs_a_grandchild_and_nothing_of_either_is_left() {
    let held = Rc::new(());
    let child = {
        let held = held.clone();
        Greenlet::<u32>::new(move |n| {
            let of_grandchild = held.clone();
            let grandchild = Greenlet::<u32>::new(move |n| n + Rc::strong_count(&of_grandchild) as u32);
            let result = grandchild.switch(n);
            assert!(grandchild.is_dead());
            drop(grandchild);
            assert_eq!(Rc::strong_count(&held), 2, "main's and this one");
            result
        })
    };
    let weak = child.downgrade();
    assert_eq!(child.switch(10), 13);
    assert_eq!(Rc::strong_count(&held), 1);
    drop(child);
    assert!(weak.upgrade().is_none());
}

// test_greenlet.py::TestGreenlet::test_threads
#[test]
fn each_thread_has_greenlets_of_its_own() {
    let everybody_is_halfway = Arc::new(Barrier::new(10));
    let threads = (0..10_u32).map(|number| {
        let barrier = everybody_is_halfway.clone();
        thread::spawn(move || {
            let main = Greenlet::<u32>::current();
            let g = Greenlet::new(move |n: u32| main.switch(n + 1) + 100);
            assert_eq!(g.switch(number), number + 1);
            barrier.wait();
            assert_eq!(g.switch(number), number + 100);
            assert!(g.is_dead());
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

// test_greenlet.py::TestGreenlet::test_exception
#[test]
fn a_panic_passes_through_the_parent_that_was_set_last_and_then_the_dead_forward_values() {
    let main = Greenlet::<u32>::current();
    let seen = Log::default();
    let outer = {
        let (main, seen) = (main.clone(), seen.clone());
        Greenlet::new(move |n: u32| {
            let raised = main.try_switch(n).unwrap_err();
            seen.push(raised.message().unwrap().to_string());
            raised.resume()
        })
    };
    let inner = Greenlet::new(move |n: u32| {
        main.switch(n);
        panic!("from within")
    });
    outer.switch(0);
    inner.switch(0);
    inner.set_parent(&outer).unwrap();
    assert_eq!(inner.try_switch(0).unwrap_err().message(), Some("from within"));
    assert_eq!(seen.take(), ["from within"]);
    assert!(inner.is_dead() && outer.is_dead());
    assert_eq!((inner.switch(25), outer.switch(26)), (25, 26));
}

// test_greenlet.py::TestGreenlet::test_send_exception
#[test]
fn a_child_of_the_target_that_panics_does_what_throw_does() {
    #[derive(Debug, PartialEq)]
    struct Oops(u8);
    let main = Greenlet::<u32>::current();
    let target = Greenlet::new(move |n: u32| match main.try_switch(n) {
        Err(raised) => u32::from(raised.into_payload().downcast::<Oops>().unwrap().0),
        Ok(_) => unreachable!(),
    });
    target.switch(0);
    let helper = Greenlet::<u32>::builder().parent(&target).build(|_| panic_any(Oops(7)));
    assert_eq!(helper.switch(0), 7);
    assert!(helper.is_dead() && target.is_dead());
}

// test_greenlet.py::TestGreenlet::test_dealloc
#[test]
fn greenlets_that_are_let_go_see_an_exit_once_each_in_that_order() {
    let (log, main) = (Log::default(), Greenlet::<()>::current());
    let mut greenlets = [1, 2, 3].map(|number| {
        let (log, main) = (log.clone(), main.clone());
        let g = Greenlet::new(move |()| {
            let raised = main.try_switch(()).unwrap_err();
            assert!(raised.is_exit());
            log.push(number);
            raised.resume()
        });
        g.switch(());
        Some(g)
    });
    for (place, expected) in [(1, vec![2]), (0, vec![1]), (2, vec![3])] {
        greenlets[place] = None;
        assert_eq!(log.take(), expected);
    }
}

// test_greenlet.py::TestGreenlet::test_frame (what it says of states)
#[test]
fn a_greenlet_is_active_from_its_start_to_its_end() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        let me = Greenlet::<()>::current();
        assert_eq!((me.state(), me.is_active()), (State::Running, true));
        assert_eq!(main.state(), State::Suspended);
        main.switch(());
    });
    assert_eq!((g.state(), g.is_active(), g.is_dead()), (State::Unstarted, false, false));
    g.switch(());
    assert_eq!((g.state(), g.is_active(), g.is_dead()), (State::Suspended, true, false));
    g.switch(());
    assert_eq!((g.state(), g.is_active(), g.is_dead()), (State::Dead, false, true));
}

// test_greenlet.py::TestGreenlet::test_thread_bug
#[test]
fn a_thread_ends_while_greenlets_of_another_one_are_suspended() {
    let [first, second] = [(), ()].map(|()| {
        let (go, wait) = channel::<()>();
        let (started, is_started) = channel::<()>();
        let thread = thread::spawn(move || {
            let g = suspended();
            started.send(()).unwrap();
            wait.recv().unwrap();
            g.switch(());
            g.is_dead()
        });
        is_started.recv().unwrap();
        (go, thread)
    });
    for (go, thread) in [second, first] {
        go.send(()).unwrap();
        assert!(thread.join().unwrap());
    }
}

// test_greenlet.py::TestGreenlet::test_exc_state
#[test]
fn what_one_greenlet_handles_is_invisible_in_another() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            main.switch(());
            assert!(!thread::panicking());
            panic_any("of the greenlet");
        }));
        // The one of main was caught in the meantime, and is not this one.
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"of the greenlet"));
        main.switch(());
    });
    g.switch(());
    let caught = catch_unwind(|| panic_any("of main")).unwrap_err();
    g.switch(());
    assert!(!thread::panicking());
    assert_eq!(caught.downcast_ref(), Some(&"of main"));
    g.switch(());
    assert!(g.is_dead());
}

// test_greenlet.py::TestGreenlet::test_running_greenlet_has_no_run
// test_greenlet.py::TestMainGreenlet::test_greenlet_run
#[test]
fn a_body_is_given_once_and_before_the_start() {
    let refuses = |g: &Greenlet| catch_unwind(AssertUnwindSafe(|| g.set_body(|()| unreachable!()))).is_err();
    assert!(refuses(&Greenlet::root()));
    assert!(refuses(&Greenlet::new(|()| ())), "it has one");
    let g = Greenlet::<()>::new(move |()| assert!(refuses(&Greenlet::current()), "while it runs"));
    g.switch(());
    assert!(refuses(&g), "it is dead");
}

// test_greenlet.py::TestMainGreenlet::test_greenlet_run
#[test]
fn what_a_body_has_captured_is_dropped_on_its_own_stack_before_the_parent_goes_on() {
    let log = Log::default();
    let captured = {
        let log = log.clone();
        OnDrop(move || log.push(Greenlet::<()>::current().name().unwrap()))
    };
    let g = Greenlet::builder().name("owner").build(move |()| {
        let _captured = &captured;
    });
    g.switch(());
    assert_eq!(log.take(), ["owner"]);
}

// test_greenlet.py::TestMainGreenlet::test_main_greenlet_is_greenlet
// test_greenlet.py::TestGreenletSetParentErrors::test_main_greenlet_parent_is_none
#[test]
fn the_root_is_a_greenlet_without_a_parent_that_others_switch_to() {
    thread::spawn(|| {
        let root = Greenlet::<u32>::root();
        assert_eq!(root, Greenlet::<u32>::current());
        assert!(root.is_root() && root.is_active() && root.parent::<u32>().is_none());
        let g = Greenlet::new(|n| Greenlet::<u32>::root().switch(n * 2));
        assert!(!g.is_root());
        assert_eq!(g.switch(4), 8);
        assert_eq!(root.state(), State::Running);
    })
    .join()
    .unwrap();
}

// test_greenlet.py::TestGreenlet::test_parent_restored_on_kill
#[test]
fn who_lets_go_of_a_greenlet_is_its_parent_until_it_has_saved_itself() {
    let hub = suspended();
    let saved = Log::default();
    let main = Greenlet::<()>::current();
    let dropper_was_parent = Log::default();
    let g = {
        let (saved, answer, main) = (saved.clone(), dropper_was_parent.clone(), main.clone());
        Greenlet::builder().parent(&hub).build(move |()| {
            assert!(main.try_switch(()).unwrap_err().is_exit());
            let me = Greenlet::<()>::current();
            answer.push(me.parent::<()>().unwrap() == main);
            saved.push(me);
            main.switch(());
        })
    };
    g.switch(());
    drop(g);
    assert_eq!(dropper_was_parent.take(), [true]);
    let g = saved.take().pop().unwrap();
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.parent::<()>().as_ref(), Some(&hub));
    g.switch(());
    assert!(g.is_dead() && hub.is_dead(), "its end goes to the old parent");
}

// test_greenlet.py::TestGreenlet::test_parent_return_failure
#[test]
fn a_result_for_a_parent_without_a_body_is_refused_to_the_grandparent() {
    let parent = Greenlet::<u32>::without_body();
    let child = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    let mut raised = child.try_switch(5).unwrap_err();
    assert!(matches!(raised.refusal(), Some(SwitchError::NoBody)), "{raised}");
    assert_eq!(raised.take_value(), Some(5_u32));
    assert_eq!((child.state(), parent.state()), (State::Dead, State::Unstarted));
    parent.set_body(|n| n + 1);
    assert_eq!(child.switch(1), 2, "now it can start");
}

// test_greenlet.py::TestGreenlet::test_throw_no_run_raises_AttributeError
#[test]
fn a_throw_into_a_greenlet_without_a_body_is_refused() {
    let g = Greenlet::<u32>::without_body();
    let raised = g.try_throw("error").unwrap_err();
    assert!(matches!(raised.refusal(), Some(SwitchError::NoBody)), "{raised}");
    g.set_body(|n| n + 1);
    assert_eq!(g.switch(1), 2);
}

// test_greenlet.py::TestGreenlet::test_falling_off_end_switches_to_unstarted_parent_raises_error
#[test]
fn a_result_that_an_unstarted_parent_does_not_take_is_refused_to_the_grandparent() {
    let parent = Greenlet::<String>::new(|text| text);
    let child = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    let mut raised = child.try_switch(5).unwrap_err();
    assert!(matches!(raised.refusal(), Some(SwitchError::WrongType { .. })), "{raised}");
    assert_eq!(raised.take_value(), Some(5_u32));
    assert_eq!((child.state(), parent.state()), (State::Dead, State::Unstarted));
    assert_eq!(parent.switch("still there".into()), "still there");
}

// test_greenlet.py::TestGreenlet::test_switch_to_dead_greenlet_reparent
#[test]
fn a_dead_greenlet_can_be_given_a_parent_which_a_switch_to_it_then_starts() {
    let dead = Greenlet::<u32>::new(|n| n);
    assert_eq!(dead.switch(1), 1);
    let parent = Greenlet::<u32>::new(|n| n * 10);
    dead.set_parent(&parent).unwrap();
    assert_eq!(dead.switch(3), 30);
    assert!(parent.is_dead());
    assert_eq!(dead.switch(4), 4, "past both");
}

// test_greenlet.py::TestGreenlet::test_issue_245_reference_counting_subclass_threads
#[test]
fn greenlets_that_save_themselves_from_being_let_go_leave_nothing_behind() {
    let held = Arc::new(());
    let threads = (0..4).map(|_| {
        let held = held.clone();
        thread::spawn(move || {
            for _ in 0..20 {
                let (main, saved) = (Greenlet::<()>::current(), Log::default());
                let g = {
                    let (saved, held) = (saved.clone(), held.clone());
                    Greenlet::new(move |()| {
                        let _held = held;
                        let _ = main.try_switch(());
                        saved.push(Greenlet::<()>::current());
                        let _ = main.try_switch(());
                    })
                };
                g.switch(());
                drop(g);
                assert_eq!(saved.take().len(), 1, "it has lived on until now");
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(Arc::strong_count(&held), 1);
}

// test_greenlet.py::TestGreenlet::test_switching_holding_critical_section_no_crash
#[test]
fn a_lock_that_a_suspended_greenlet_holds_stays_locked() {
    let lock = Rc::new(Mutex::new(0));
    let main = Greenlet::<()>::current();
    let g = {
        let lock = lock.clone();
        Greenlet::new(move |()| {
            let mut guard = lock.lock().unwrap();
            main.switch(());
            *guard += 1;
        })
    };
    g.switch(());
    assert!(lock.try_lock().is_err());
    g.switch(());
    assert_eq!(*lock.try_lock().unwrap(), 1);
}

// test_greenlet.py::TestGreenletSetParentErrors::test_deeper_cycle
#[test]
fn a_parent_that_descends_from_the_greenlet_is_refused_at_any_depth() {
    let first = Greenlet::<()>::new(|()| ());
    let mut last = first.clone();
    let mut chain = Vec::new();
    for _ in 0..5 {
        last = Greenlet::<()>::builder().parent(&last).build(|()| ());
        chain.push(last.clone());
    }
    for descendant in &chain {
        assert_eq!(first.set_parent(descendant), Err(ParentError::Cycle));
    }
    assert_eq!(first.parent::<()>(), Some(Greenlet::root()));
    chain[0].set_parent(&Greenlet::<()>::root()).unwrap();
    first.set_parent(&last).unwrap();
}

// test_greenlet.py::TestRepr::test_initial
// test_greenlet.py::TestRepr::test_main_while_running
// test_greenlet.py::TestRepr::test_main_in_background
// test_greenlet.py::TestRepr::test_dead
#[test]
fn debug_output_tells_the_name_and_the_state() {
    let says = |g: &Greenlet, words: [&str; 2]| {
        let text = format!("{g:?}");
        assert!(words.iter().all(|word| text.contains(word)), "{text} lacks one of {words:?}");
    };
    let g = Greenlet::builder().name("talker").build(move |()| {
        says(&Greenlet::root(), ["root: true", "Suspended"]);
        says(&Greenlet::current(), ["talker", "Running"]);
    });
    says(&Greenlet::root(), ["root: true", "Running"]);
    says(&g, ["talker", "Unstarted"]);
    g.switch(());
    says(&g, ["root: false", "Dead"]);
}

// test_greenlet.py::TestBrokenGreenlets::test_reentrant_switch_three_greenlets
// test_greenlet.py::TestBrokenGreenlets::test_reentrant_switch_three_greenlets2
#[test]
fn a_hook_that_switches_within_a_switch_within_a_switch_mixes_up_no_value() {
    type Values = [u64; 4];
    let log = Log::default();
    let first = Greenlet::<Values>::new(|values| values.map(|value| value + 1));
    let depth = std::cell::Cell::new(0);
    let told = log.clone();
    trace::set(move |event| {
        // On the stack of each one that starts, before it sees its value, start another one.
        if event.target().is_root() || depth.get() == 3 {
            return;
        }
        let number = depth.replace(depth.get() + 1);
        if number < 2 {
            let next = Greenlet::<Values>::new(|values| values.map(|value| value + 1));
            told.push(next.switch([(number + 1) * 100; 4]));
        }
    });
    let result = first.switch([0; 4]);
    trace::clear();
    assert_eq!(result, [1; 4]);
    assert_eq!(log.take(), [[201; 4], [101; 4]]);
}

// test_greenlet.py::TestBrokenGreenlets::test_reentrant_switch_run_callable_has_del
#[test]
fn what_a_body_has_captured_may_switch_when_it_is_dropped() {
    let main = Greenlet::<u32>::current();
    let captured = OnDrop(move || assert_eq!(main.switch(1), 2));
    let g = Greenlet::<u32>::new(move |n| {
        let _captured = &captured;
        n
    });
    assert_eq!(g.switch(10), 1, "its destructor switched here");
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.switch(2), 10, "its result is not lost");
}

// test_greenlet.py::TestBrokenGreenlets::test_reentrant_switch_run_callable_has_del
#[test]
fn a_body_that_is_dropped_unrun_may_switch() {
    let other = suspended();
    let captured = {
        let other = other.clone();
        OnDrop(move || other.switch(()))
    };
    let g = Greenlet::<u32>::new(move |n| {
        let _captured = &captured;
        n
    });
    assert_eq!(g.try_throw("error").unwrap_err().message(), Some("error"));
    assert!(g.is_dead() && other.is_dead());
}
