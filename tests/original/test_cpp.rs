//! The rows of `test_cpp.py`: unwinding and catching on stacks that switch meanwhile. Those that end
//! the process are in `tests/isolated/unwinding.rs`.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::sync::Arc;

use greenlet::Greenlet;

use crate::Log;

/// Calls `f` below so many frames, with a handler for panics in the middle.
#[inline(never)]
fn below(frames: u32, catches_at: u32, f: &mut dyn FnMut()) -> Option<u32> {
    let _frame = black_box([frames; 16]);
    if frames == 0 {
        f();
        return None;
    }
    if frames != catches_at {
        return below(frames - 1, catches_at, f);
    }
    let caught = catch_unwind(AssertUnwindSafe(|| below(frames - 1, catches_at, f)));
    Some(*caught.unwrap_err().downcast::<u32>().expect("a panic of this test"))
}

// test_cpp.py::CPPTests::test_exception_switch
#[test]
fn greenlets_that_are_suspended_below_a_handler_catch_each_its_own_panic() {
    let (main, log) = (Greenlet::<()>::current(), Log::default());
    let greenlets = [(1, 1), (5, 2), (20, 20), (50, 7)].map(|(frames, catches_at)| {
        let (main, log) = (main.clone(), log.clone());
        let g = Greenlet::new(move |()| {
            let caught = below(frames, catches_at, &mut || {
                main.switch(());
                panic_any(frames);
            });
            log.push(caught);
            main.switch(());
        });
        g.switch(());
        (frames, g)
    });
    // Neither in the order of their starts nor the other way round.
    for place in [2, 0, 3, 1] {
        let (frames, g) = &greenlets[place];
        g.switch(());
        assert_eq!(log.take(), [Some(*frames)]);
    }
    for (_, g) in greenlets {
        g.switch(());
        assert!(g.is_dead());
    }
}

// test_cpp.py::CPPTests::test_leak_test_exception_switch_and_do_in_g2
#[test]
fn a_thousand_panics_that_are_delivered_to_the_parent_leave_nothing_behind() {
    let held = Rc::new(());
    let sent = Arc::new(());
    for _ in 0..1000 {
        let (on_stack, payload) = (held.clone(), sent.clone());
        let g = Greenlet::<()>::new(move |()| {
            let _on_stack = on_stack;
            std::panic::resume_unwind(Box::new(payload))
        });
        let raised = g.try_switch(()).unwrap_err();
        assert!(Arc::ptr_eq(&raised.into_payload().downcast::<Arc<()>>().unwrap(), &sent));
    }
    assert_eq!((Rc::strong_count(&held), Arc::strong_count(&sent)), (1, 1));
}
