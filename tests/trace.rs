//! Trace hooks.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use greenlet::trace::{self, EventKind};
use greenlet::{Greenlet, State};

type Log = Rc<RefCell<Vec<(EventKind, u64, u64)>>>;

/// What happened on this thread while `f` ran.
fn traced(f: impl FnOnce()) -> Vec<(EventKind, u64, u64)> {
    let log = Log::default();
    let writer = log.clone();
    trace::set(move |event| {
        assert_eq!(event.target().state(), State::Running);
        writer.borrow_mut().push((event.kind(), event.origin().id(), event.target().id()));
    });
    f();
    trace::clear();
    log.take()
}

use EventKind::{Switch, Throw};

// test_tracing.py: test_a_greenlet_tracing
#[test]
fn every_switch_is_told_with_its_kind_origin_and_target() {
    let (main, returns, panics) = (Greenlet::<u32>::current(), 1, 2);
    let g = Greenlet::new(move |n: u32| main.switch(n));
    let failing = Greenlet::<u32>::new(|_| std::panic::resume_unwind(Box::new("failed")));
    let events = traced(|| {
        g.switch(0);
        g.switch(0);
        failing.try_switch(0).unwrap_err();
    });
    let expected = [
        (Switch, 0, returns),
        (Switch, returns, 0),
        (Switch, 0, returns),
        (Switch, returns, 0),
        (Switch, 0, panics),
        (Throw, panics, 0),
    ];
    assert_eq!(events, expected);
}

// greenlet.md rows 34 and 51
#[test]
fn what_ends_a_greenlet_before_it_ran_is_told_as_if_it_had_begun() {
    let (thrown_at, killed, parent) = (1, 2, 3);
    let thrown = Greenlet::<u32>::new(|_| unreachable!());
    let victim = Greenlet::<u32>::new(|_| unreachable!());
    let parent_of_failing = Greenlet::<u32>::new(|_| unreachable!());
    let failing = Greenlet::<u32>::builder()
        .parent(&parent_of_failing)
        .build(|_| std::panic::resume_unwind(Box::new("failed")));
    let events = traced(|| {
        thrown.try_throw("an error").unwrap_err();
        victim.kill().unwrap();
        failing.try_switch(0).unwrap_err();
    });
    let expected = [
        (Throw, 0, thrown_at),
        (Throw, thrown_at, 0),
        (Throw, 0, killed),
        (Switch, killed, 0),
        (Switch, 0, failing.id()),
        (Throw, failing.id(), parent),
        (Throw, parent, 0),
    ];
    assert_eq!(events, expected);
    assert!(parent_of_failing.is_dead());
}

// greenlet.md section 5, case 11
#[test]
fn a_switch_to_oneself_is_told() {
    let me = Greenlet::<u32>::current();
    assert_eq!(traced(|| assert_eq!(me.switch(7), 7)), [(Switch, 0, 0)]);
}

// greenlet.md row 51
#[test]
fn the_drop_of_a_suspended_greenlet_is_told_as_throw_and_switch() {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| main.switch(()));
    g.switch(());
    assert_eq!(traced(move || drop(g)), [(Throw, 0, 1), (Switch, 1, 0)]);
}

#[test]
fn a_throw_is_told_as_throw_even_if_it_is_caught() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| main.try_switch(n).map_or(5, |n| n));
    g.switch(0);
    let events = traced(|| assert_eq!(g.throw("stop"), 5));
    assert_eq!(events, [(Throw, 0, 1), (Switch, 1, 0)]);
}

#[test]
fn a_start_that_is_refused_is_not_told() {
    let g = Greenlet::<u32>::without_body();
    assert_eq!(traced(|| drop(g.try_switch(0).unwrap_err())), []);
}

#[test]
fn a_result_that_starts_an_unstarted_parent_is_told() {
    let parent = Greenlet::new(|n: u32| n);
    let child = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    let events = traced(|| assert_eq!(child.switch(3), 3));
    assert_eq!(events, [(Switch, 0, 2), (Switch, 2, 1), (Switch, 1, 0)]);
}

// test_tracing.py: test_b_exception_disables_tracing
#[test]
fn a_hook_that_panics_is_removed_and_its_panic_replaces_what_was_sent() {
    let main = Greenlet::<String>::current();
    let g = Greenlet::<String>::new(move |text| match main.try_switch(text) {
        Ok(text) => text,
        Err(raised) => format!("raised: {}", raised.message().unwrap()),
    });
    g.switch("first".into());
    trace::set(|_| std::panic::resume_unwind(Box::new("hook")));
    assert_eq!(g.switch("lost".into()), "raised: hook");
    assert!(trace::get().is_none());
}

#[test]
fn a_hook_that_panics_at_a_start_keeps_the_body_from_running() {
    let g = Greenlet::<u32>::new(|_| unreachable!());
    trace::set(|_| std::panic::resume_unwind(Box::new("hook")));
    assert_eq!(g.try_switch(0).unwrap_err().message(), Some("hook"));
    assert!(g.is_dead());
}

// test_tracing.py: test_set_same_tracer_twice
#[test]
fn set_returns_the_hook_that_was_there() {
    assert!(trace::set(|_| ()).is_none());
    let first = trace::get().unwrap();
    let replaced = trace::replace(Some(first.clone())).unwrap();
    assert!(Rc::ptr_eq(&first, &replaced));
    assert!(Rc::ptr_eq(&trace::clear().unwrap(), &first));
    assert!(trace::get().is_none());
}

// test_greenlet.py: test_reentrant_switch_two_greenlets
#[test]
fn a_hook_may_switch_and_no_value_is_mixed_up() {
    let main = Greenlet::<[u64; 4]>::current();
    let echo = || {
        let main = main.clone();
        Greenlet::<[u64; 4]>::new(move |mut values| {
            loop {
                values = main.switch(values);
            }
        })
    };
    let (a, b) = (echo(), echo());
    a.switch([0; 4]);
    b.switch([0; 4]);
    let (target, other) = (a.clone(), b.clone());
    let busy = std::cell::Cell::new(false);
    trace::set(move |event| {
        if *event.target() == target && !busy.replace(true) {
            // On a's stack, before a sees its value: main's answer to b is for this call.
            let from = Greenlet::<[u64; 4]>::current();
            let relay = other.clone();
            let g = Greenlet::<[u64; 4]>::builder().parent(&from).build(move |values| {
                drop(relay);
                values
            });
            assert_eq!(g.switch([9; 4]), [9; 4]);
            busy.set(false);
        }
    });
    assert_eq!(a.switch([1; 4]), [1; 4]);
    assert_eq!(b.switch([2; 4]), [2; 4]);
    trace::clear();
}

#[test]
fn a_hook_that_starts_a_greenlet_where_another_has_just_ended_does_not_harm_its_result() {
    type Values = [u64; 16];
    let next = || Greenlet::<Values>::new(|values| values.map(|value| value + 1));
    let busy = std::cell::Cell::new(false);
    trace::set(move |event| {
        if event.origin().is_dead() && !busy.replace(true) {
            // It has the stack that the result was left on.
            assert_eq!(next().switch([8; 16]), [9; 16]);
            busy.set(false);
        }
    });
    assert_eq!(next().switch([1; 16]), [2; 16]);
    trace::clear();
}

#[test]
fn a_hook_may_switch_before_a_parent_begins_on_the_stack_of_its_child() {
    let parent = Greenlet::new(|n: u32| n + 1);
    let child = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
    let busy = std::cell::Cell::new(false);
    trace::set(move |event| {
        if *event.target() == parent && !busy.replace(true) {
            let detour = Greenlet::<u32>::builder().parent(&parent).build(|n| n);
            assert_eq!(detour.switch(5), 5);
        }
    });
    assert_eq!(child.switch(3), 4);
    trace::clear();
}

#[test]
fn a_value_that_a_panic_of_a_hook_replaces_is_dropped() {
    let value = Rc::new(());
    let g = Greenlet::<Rc<()>>::new(|_| unreachable!());
    trace::set(|_| std::panic::resume_unwind(Box::new("hook")));
    assert!(g.try_switch(value.clone()).is_err());
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_value_for_a_killer_that_a_panic_of_a_hook_replaces_is_dropped_once() {
    type Value = Option<Rc<()>>;
    for returns in [false, true] {
        let (main, value) = (Greenlet::<Value>::current(), Rc::new(()));
        let g = Greenlet::<Value>::new({
            let held = Some(value.clone());
            move |_| {
                assert!(main.try_switch(None).unwrap_err().is_exit());
                trace::set(|_| std::panic::resume_unwind(Box::new("hook")));
                if returns { held } else { main.switch(held) }
            }
        });
        g.switch(None);
        let killed = catch_unwind(AssertUnwindSafe(|| g.kill()));
        assert!(!matches!(killed, Ok(Ok(()))), "the panic is there in its place");
        assert_eq!((Rc::strong_count(&value), g.is_dead()), (1, returns));
    }
}

#[test]
fn a_kill_of_a_greenlet_without_a_body_is_told_to_nobody() {
    let g = Greenlet::<()>::without_body();
    assert_eq!(traced(|| g.kill().unwrap()), []);
    assert!(g.is_dead());
}

// do-not-repeat.md: P3
#[test]
fn a_global_hook_is_told_of_switches_on_threads_that_ran_before_it_was_set() {
    use std::sync::mpsc::channel;
    let (sender, seen) = channel();
    let (ready, is_ready) = channel();
    let (go, may_go) = channel();
    let thread = std::thread::spawn(move || {
        let main = Greenlet::<u32>::current();
        let g = Greenlet::<u32>::builder().name("traced elsewhere").build(move |mut n| {
            loop {
                n = main.switch(n);
            }
        });
        g.switch(0);
        g.switch(0);
        ready.send(()).unwrap();
        may_go.recv().unwrap();
        let _makes_the_thread_look = Greenlet::<()>::new(|()| ());
        g.switch(0);
    });
    is_ready.recv().unwrap();
    trace::set_global(move |event| {
        if event.target().name().is_some_and(|name| name == "traced elsewhere") {
            sender.send(event.kind()).unwrap();
        }
    });
    go.send(()).unwrap();
    assert_eq!(seen.recv().unwrap(), Switch);
    thread.join().unwrap();
    trace::clear_global();
}

#[test]
fn the_hook_of_a_thread_is_told_of_what_is_unwound_at_its_end() {
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| main.switch(()));
        g.switch(());
        trace::set(move |event| {
            // It keeps g until then.
            let target = if *event.target() == g { "g" } else { "main" };
            sender.send((event.kind(), target)).unwrap();
        });
    })
    .join()
    .unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), [(Throw, "g"), (Switch, "main")]);
}

#[test]
fn what_a_hook_owns_is_dropped_at_the_end_of_its_thread_even_if_that_is_a_handle() {
    let alive = Arc::new(());
    std::thread::spawn({
        let alive = alive.clone();
        move || {
            let me = Greenlet::<()>::current();
            trace::set(move |_| _ = (&me, &alive));
            Greenlet::<()>::new(|()| ()).switch(());
        }
    })
    .join()
    .unwrap();
    assert_eq!(Arc::strong_count(&alive), 1);
}
