//! Processes that end with greenlets alive, and what is said on the way.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::context::Key;
use greenlet::{Generator, Greenlet, SwitchError, Yielder, trace};

use crate::{isolated, stderr};

fn suspended() -> Greenlet<()> {
    let main = Greenlet::<()>::current();
    let g = Greenlet::new(move |()| main.switch(()));
    g.switch(());
    g
}

#[test]
fn exiting_from_within_a_greenlet_is_orderly() {
    let output = isolated("exit::exiting_from_within_a_greenlet_is_orderly", || {
        let _suspended = suspended();
        Greenlet::<()>::new(|()| std::process::exit(7)).switch(());
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn nothing_is_switched_to_any_more_once_the_process_exits_from_within_a_greenlet() {
    struct Switches(RefCell<Option<Greenlet>>);
    impl Drop for Switches {
        fn drop(&mut self) {
            let refused = self.0.take().unwrap().try_switch(()).unwrap_err();
            eprintln!("{refused}");
        }
    }
    thread_local! {
        static LAST: Switches = const { Switches(RefCell::new(None)) };
    }
    let case = "exit::nothing_is_switched_to_any_more_once_the_process_exits_from_within_a_greenlet";
    let output = isolated(case, || {
        LAST.with(|_| ()); // before there is any greenlet, so that it is destroyed after their end
        let main = Greenlet::<()>::current();
        let last = Greenlet::new(move |()| {
            main.switch(());
            eprintln!("it runs");
        });
        last.switch(());
        LAST.with(|place| place.0.replace(Some(last)));
        Greenlet::<()>::new(|()| std::process::exit(7)).switch(());
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains(&SwitchError::ThreadEnding.to_string()), "{}", stderr(&output));
    assert!(!stderr(&output).contains("it runs"), "{}", stderr(&output));
}

#[test]
fn suspended_greenlets_in_thread_locals_do_not_disturb_the_exit() {
    let output = isolated("exit::suspended_greenlets_in_thread_locals_do_not_disturb_the_exit", || {
        thread_local! {
            static KEPT: RefCell<Vec<Greenlet>> = const { RefCell::new(Vec::new()) };
        }
        KEPT.with_borrow_mut(|kept| kept.push(suspended()));
        drop(Greenlet::<()>::new(|()| ()));
        KEPT.with_borrow_mut(|kept| kept.push(suspended()));
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_greenlet_that_refuses_to_unwind_is_reported_and_leaked() {
    let output = isolated("exit::a_greenlet_that_refuses_to_unwind_is_reported_and_leaked", || {
        let main = Greenlet::<u32>::current();
        let g = Greenlet::<u32>::builder().name("stubborn").build(move |n| {
            loop {
                let _ = main.try_switch(n);
            }
        });
        g.switch(0);
        drop(g);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("greenlet 1 \"stubborn\" is leaked: it refused to die"), "{said}");
}

#[test]
fn a_generator_that_refuses_to_unwind_is_reported_and_leaked() {
    let output = isolated("exit::a_generator_that_refuses_to_unwind_is_reported_and_leaked", || {
        // What it yields instead of ending panics as well, when it is dropped.
        struct Rude;
        impl Drop for Rude {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("rude"));
            }
        }
        let mut generator = Generator::new(|yielder, ()| {
            let mut rude = None;
            while yielder.try_yield(rude.take()).is_err() {
                rude = Some(Rude);
            }
        });
        assert!(generator.next().unwrap().is_none());
        let raised = catch_unwind(AssertUnwindSafe(|| drop(generator))).unwrap_err();
        assert_eq!(raised.downcast_ref(), Some(&"rude"));
        // Nobody else gets its stack.
        let sums = (0..100).map(|n| Greenlet::new(move |m: u32| n + m).switch(1));
        assert_eq!(sums.sum::<u32>(), 99 * 50 + 100);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("a generator in greenlet 0 is leaked: it refused to die"), "{said}");
}

#[test]
fn a_panic_of_a_generator_that_another_panic_drops_is_reported_and_goes_no_further() {
    let output = isolated(
        "exit::a_panic_of_a_generator_that_another_panic_drops_is_reported_and_goes_no_further",
        || {
            let dropped = catch_unwind(|| {
                let mut generator = Generator::new(|yielder, ()| {
                    if yielder.try_yield(()).is_err() {
                        panic!("on the way out");
                    }
                });
                assert_eq!(generator.next(), Some(()));
                std::panic::resume_unwind(Box::new("the first one"));
            });
            assert_eq!(dropped.unwrap_err().downcast_ref(), Some(&"the first one"));
        },
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("a generator in greenlet 0, being dropped: the greenlet panicked: on the way"),
        "{said}"
    );
    assert!(!said.contains("is leaked"), "{said}");
}

#[test]
fn what_a_generator_panics_with_then_may_panic_as_it_is_dropped() {
    let output = isolated("exit::what_a_generator_panics_with_then_may_panic_as_it_is_dropped", || {
        let dropped = catch_unwind(|| {
            let mut generator = Generator::new(|yielder, ()| {
                if yielder.try_yield(()).is_err() {
                    std::panic::resume_unwind(Box::new(Panics("payload")));
                }
            });
            assert_eq!(generator.next(), Some(()));
            std::panic::resume_unwind(Box::new("the first one"));
        });
        assert_eq!(dropped.unwrap_err().downcast_ref(), Some(&"the first one"));
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("a generator in greenlet 0, being dropped: the greenlet panicked"), "{said}");
}

/// Its body stands there, and it is in a thread-local that is destroyed all the same.
#[test]
#[cfg_attr(
    greenlet_sanitizer = "address",
    ignore = "the leak checker does not look at the stack of who has resumed it"
)]
fn a_process_may_exit_from_within_the_body_of_a_generator() {
    type Numbers = Generator<(), u32, ()>;
    thread_local!(static KEPT: RefCell<Option<Numbers>> = const { RefCell::new(None) });
    fn run(body: impl FnOnce(&Yielder<(), u32>, ()) + 'static) {
        KEPT.with(|kept| kept.borrow_mut().insert(Generator::new(body)).count());
    }
    let name = "exit::a_process_may_exit_from_within_the_body_of_a_generator";
    let output = isolated(name, || {
        run(|yielder, ()| {
            yielder.yield_(1);
            std::process::exit(7);
        });
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn a_process_may_exit_while_a_greenlet_waits_in_the_body_of_a_generator() {
    type Numbers = Generator<(), u32, ()>;
    thread_local!(static KEPT: RefCell<Option<Numbers>> = const { RefCell::new(None) });
    let name = "exit::a_process_may_exit_while_a_greenlet_waits_in_the_body_of_a_generator";
    let output = isolated(name, || {
        // Before the first greenlet, so that it goes after all of them have been unwound; and later.
        KEPT.with(|_| ());
        let root = Greenlet::<()>::current();
        let body = move |yielder: &Yielder<(), u32>, ()| {
            yielder.yield_(1);
            root.switch(());
        };
        let waits = Greenlet::new(|()| {
            _ = KEPT.with(|kept| kept.borrow_mut().insert(Generator::new(body)).count());
        });
        waits.switch(());
        std::process::exit(7);
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn a_panic_in_a_destructor_of_a_dropped_greenlet_is_reported_and_goes_no_further() {
    let output = isolated(
        "exit::a_panic_in_a_destructor_of_a_dropped_greenlet_is_reported_and_goes_no_further",
        || {
            let main = Greenlet::<()>::current();
            let g = Greenlet::new(move |()| {
                if main.try_switch(()).is_err() {
                    panic!("on the way out");
                }
            });
            g.switch(());
            drop(g);
        },
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("greenlet 1, being dropped: the greenlet panicked: on the way out"), "{said}");
}

#[test]
fn a_report_hook_replaces_the_text() {
    let output = isolated("exit::a_report_hook_replaces_the_text", || {
        greenlet::set_report_hook(|report| eprintln!("HOOK {report}"));
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| drop((main.try_switch(()), main.try_switch(()))));
        g.switch(());
        drop(g);
    });
    assert!(stderr(&output).contains("HOOK greenlet 1 is leaked"), "{}", stderr(&output));
}

/// Panics with this when it is dropped.
struct Panics(&'static str);

impl Drop for Panics {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new(self.0));
    }
}

#[test]
fn a_panic_in_a_destructor_of_local_data_is_reported_and_the_result_goes_on() {
    greenlet::local! {
        static BAD: Panics = Panics("bad data");
        static WORSE: Panics = Panics("worse data");
    }
    let case = "exit::a_panic_in_a_destructor_of_local_data_is_reported_and_the_result_goes_on";
    let output = isolated(case, || {
        let g = Greenlet::<u32>::new(|n| {
            BAD.with(|_| ());
            WORSE.with(|_| ());
            n + 1
        });
        assert_eq!(g.switch(1), 2);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    for data in ["bad data", "worse data"] {
        let report = format!("greenlet 1, being dropped: the greenlet panicked: {data}");
        assert_eq!(said.matches(&report).count(), 1, "{said}");
    }
}

#[test]
fn a_panic_in_a_destructor_of_a_hook_as_its_thread_ends_is_reported_and_goes_no_further() {
    let case = "exit::a_panic_in_a_destructor_of_a_hook_as_its_thread_ends_is_reported_and_goes_no_further";
    let output = isolated(case, || {
        let thread = std::thread::spawn(|| {
            let held = Panics("hook");
            trace::set(move |_| _ = &held);
        });
        thread.join().unwrap();
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("greenlet 0, being dropped: the greenlet panicked: hook"), "{said}");
}

#[test]
fn a_panic_in_a_destructor_of_what_a_dropper_was_sent_is_reported_and_goes_no_further() {
    let case = "exit::a_panic_in_a_destructor_of_what_a_dropper_was_sent_is_reported_and_goes_no_further";
    let output = isolated(case, || {
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| {
            let _ = main.try_switch(());
            let _ = main.cast::<Panics>().try_switch(Panics("unwanted"));
        });
        g.switch(());
        drop(g);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("greenlet 1, being dropped: the greenlet panicked: unwanted"), "{said}");
    assert!(said.contains("greenlet 1 is leaked"), "{said}");
}

#[test]
fn a_panic_in_a_destructor_of_the_context_of_the_dead_is_reported_and_goes_no_further() {
    static KEY: Key<Rc<Panics>> = Key::new();
    let case = "exit::a_panic_in_a_destructor_of_the_context_of_the_dead_is_reported_and_goes_no_further";
    let output = isolated(case, || {
        let g = Greenlet::<()>::new(|()| KEY.set(Rc::new(Panics("bad context"))));
        g.switch(());
        assert!(g.is_dead());
        drop(g);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("the greenlet panicked: bad context"), "{}", stderr(&output));
}
