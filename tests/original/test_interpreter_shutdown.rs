//! The rows of `test_interpreter_shutdown.py` that a thread's end shows. Those about the end of a
//! process are in `tests/isolated/shutdown.rs`.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use greenlet::context::Context;
use greenlet::{Greenlet, State, SwitchError, trace};

use crate::{OnDrop, suspended};

/// What `f` says when it runs in a destructor of a thread-local that is older than the thread's first
/// greenlet, and so outlives them all. `before` runs while the thread is well.
fn after_the_greenlets<R: 'static + Send>(before: fn(), f: fn() -> R) -> Receiver<R> {
    thread_local! {
        static OLDEST: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
    }
    let (tell, told): (Sender<R>, _) = channel();
    thread::spawn(move || {
        // It is destroyed after what is first used from here on.
        OLDEST.set(Some(Box::new(OnDrop(move || tell.send(f()).unwrap()))));
        before();
    })
    .join()
    .unwrap();
    told
}

// test_interpreter_shutdown.py::TestInterpreterShutdown::test_greenlet_cleanup_during_thread_exit
// test_interpreter_shutdown.py::TestInterpreterShutdown::test_finally_block_during_thread_exit
#[test]
fn greenlets_that_are_locals_of_a_thread_run_their_destructors_before_it_ends() {
    let (tell, told) = channel();
    let ended = thread::spawn(move || {
        let main = Greenlet::<()>::current();
        let on_drop = OnDrop(move || tell.send(Greenlet::<()>::current().name()).unwrap());
        let g = Greenlet::builder().name("local").build(move |()| {
            let _on_drop = on_drop;
            main.switch(());
        });
        g.switch(());
        let _other = suspended();
    });
    ended.join().unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Some("local".to_string())]);
}

// test_interpreter_shutdown.py::TestInterpreterShutdown::
//     test_getcurrent_returns_none_during_gc_finalization
//     test_getcurrent_returns_none_during_gc_finalization_with_active_greenlets
#[test]
fn after_the_end_of_its_greenlets_a_thread_still_has_a_current_one() {
    for before in [|| (), || drop(Greenlet::<()>::current()), || std::mem::forget(suspended())] {
        let told = after_the_greenlets(before, || {
            let me = Greenlet::<()>::current();
            (me.is_root(), me.state(), trace::get().is_none(), Context::current().is_empty())
        });
        assert_eq!(told.try_recv(), Ok((true, State::Running, true, true)));
    }
}

// test_interpreter_shutdown.py::TestInterpreterShutdown::test_switch_no_error_at_module_gc_time
// test_interpreter_shutdown.py::TestInterpreterShutdown::test_api_getcurrent_no_system_error_at_module_gc_time
#[test]
fn after_the_end_of_its_greenlets_a_thread_may_make_some_but_not_switch_to_them() {
    let told = after_the_greenlets(
        || std::mem::forget(suspended()),
        || {
            let g = Greenlet::<u32>::new(|n| n);
            let Err(mut refused) = g.try_switch(4) else { return (false, None, g.state(), false) };
            let says_why = matches!(refused.refusal(), Some(SwitchError::ThreadEnding));
            (says_why, refused.take_value::<u32>(), g.state(), g.kill().is_ok())
        },
    );
    assert_eq!(told.try_recv(), Ok((true, Some(4), State::Unstarted, true)));
}

// test_greenlet.py::TestGreenlet::test_throw_to_dead_thread_doesnt_crash
// test_greenlet.py::TestGreenlet::test_throw_to_dead_thread_doesnt_crash_wait
#[test]
fn a_handle_that_outlives_its_threads_greenlets_reads_dead_and_cannot_be_switched_to() {
    thread_local! {
        static OLDEST: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
    }
    let (tell, told) = channel();
    thread::spawn(move || {
        OLDEST.with(|_| ()); // It is destroyed after what is first used from here on.
        let g = suspended();
        OLDEST.set(Some(Box::new(OnDrop(move || {
            let refused = g.try_throw("late").err();
            let refusal = refused.as_ref().and_then(|raised| raised.refusal());
            tell.send((g.state(), matches!(refusal, Some(SwitchError::ThreadEnding)))).unwrap();
        }))));
    })
    .join()
    .unwrap();
    assert_eq!(told.try_recv(), Ok((State::Dead, true)));
}
