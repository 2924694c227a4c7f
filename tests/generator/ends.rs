//! How it ends, and is ended.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::{Generator, GeneratorExit, KillError, Step, Yielder};

use crate::{OnDrop, Rude};

#[test]
fn one_that_has_not_started_ends_without_running() {
    let held = Rc::new(());
    let make = || {
        let held = held.clone();
        Generator::<(), (), ()>::new(move |_, ()| unreachable!("{held:?} is dropped unrun"))
    };
    let mut thrown_at = make();
    assert_eq!(thrown_at.throw("thrown").unwrap_err().message(), Some("thrown"));
    let mut closed = make();
    closed.close().unwrap();
    assert!(thrown_at.is_over() && closed.is_over());
    assert_eq!(Rc::strong_count(&held), 1);
    closed.close().unwrap();
}

#[test]
fn a_panic_of_a_body_that_is_dropped_unrun_is_returned() {
    let make = || {
        let on_drop = OnDrop(|| std::panic::resume_unwind(Box::new("unrun")));
        Generator::<(), (), ()>::new(move |_, ()| drop(on_drop))
    };
    assert_eq!(make().throw("thrown").unwrap_err().message(), Some("unrun"));
    assert!(matches!(make().close(), Err(KillError::Panicked(raised)) if raised.message() == Some("unrun")));
}

#[test]
fn close_tells_what_happened_instead_of_an_end() {
    let mut stubborn = Generator::new(|yielder, ()| {
        for n in 0..2_u32 {
            _ = yielder.try_yield(n);
        }
    });
    assert_eq!(stubborn.next(), Some(0));
    assert!(matches!(stubborn.close(), Err(KillError::Refused)));
    assert!(!stubborn.is_over());
    stubborn.close().unwrap();
    let mut panics = Generator::new(|yielder, ()| {
        if yielder.try_yield(()).is_err() {
            std::panic::resume_unwind(Box::new("at the end"));
        }
    });
    assert_eq!(panics.next(), Some(()));
    assert!(
        matches!(panics.close(), Err(KillError::Panicked(raised)) if raised.message() == Some("at the end"))
    );
    assert!(panics.is_over());
}

#[test]
fn what_its_body_panics_with_as_it_is_dropped_goes_on_there() {
    let held = Rc::new(());
    let mut generator = Generator::new({
        let held = held.clone();
        move |yielder, ()| {
            let _held = held;
            if yielder.try_yield(()).is_err_and(|raised| raised.is_generator_exit()) {
                std::panic::resume_unwind(Box::new("at the end"));
            }
        }
    });
    assert_eq!(generator.next(), Some(()));
    let raised = catch_unwind(AssertUnwindSafe(|| drop(generator))).unwrap_err();
    assert_eq!(raised.downcast_ref(), Some(&"at the end"));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn an_exit_that_nobody_has_asked_for_is_raised_in_the_resumer() {
    let mut generator = Generator::new(|yielder, ()| {
        yielder.yield_(1);
        std::panic::resume_unwind(Box::new(GeneratorExit));
    });
    assert_eq!(generator.next(), Some(1));
    assert!(generator.try_resume(()).unwrap_err().is_generator_exit());
}

#[test]
fn a_panic_that_drops_it_unwinds_its_body() {
    let held = Rc::new(());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let held = held.clone();
        let mut generator = Generator::new(move |yielder, ()| {
            let _held = held;
            yielder.yield_(1);
        });
        assert_eq!(generator.next(), Some(1));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_panic_of_what_it_yields_instead_of_an_end_leaves_it_where_it_has_yielded() {
    #[inline(never)]
    fn refuse(yielder: &Yielder<(), Option<Rude>>) {
        let room = black_box([0_u8; 256]);
        _ = yielder.try_yield(Some(Rude::default()));
        black_box(room);
    }
    let mut stubborn = Generator::new(|yielder, ()| {
        let caught = yielder.try_yield(None).unwrap_err();
        refuse(yielder);
        caught.is_generator_exit()
    });
    assert!(matches!(stubborn.resume(()), Step::Yielded(None)));
    let unwound = catch_unwind(AssertUnwindSafe(|| stubborn.close()));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"rude"));
    assert!(!stubborn.is_over());
    assert!(matches!(stubborn.resume(()), Step::Returned(true)));
}

#[test]
fn one_that_is_over_stays_so_when_it_is_closed() {
    let mut generator = Generator::new(|yielder, ()| yielder.yield_(1));
    assert_eq!((generator.next(), generator.next()), (Some(1), None));
    generator.close().unwrap();
    assert_eq!(generator.next(), None);
    assert!(generator.is_over());
}

/// In thread-locals that are destroyed before the thread's greenlets end, and after.
#[test]
fn one_in_a_thread_local_is_unwound_when_its_thread_ends() {
    thread_local! {
        static EARLY: RefCell<Option<Generator<(), u32, ()>>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<Generator<(), u32, ()>>> = const { RefCell::new(None) };
    }
    let unwound = std::sync::Arc::new(());
    let make = |unwound: &std::sync::Arc<()>| {
        let held = unwound.clone();
        let mut generator = Generator::new(move |yielder, ()| {
            let _held = held;
            yielder.yield_(1);
        });
        assert_eq!(generator.next(), Some(1));
        Some(generator)
    };
    std::thread::spawn({
        let unwound = unwound.clone();
        move || {
            EARLY.with(|_| ());
            EARLY.set(make(&unwound));
            LATE.set(make(&unwound));
        }
    })
    .join()
    .unwrap();
    assert_eq!(std::sync::Arc::strong_count(&unwound), 1);
}

#[test]
fn a_panic_reaches_the_resumer_and_ends_the_generator() {
    let mut generator = Generator::new(|yielder, ()| {
        yielder.yield_(1);
        std::panic::resume_unwind(Box::new("broken"));
    });
    assert_eq!(generator.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| generator.next())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"broken"));
    assert_eq!(generator.next(), None);
}

#[test]
fn what_is_thrown_can_be_caught_at_the_yield() {
    let mut generator = Generator::new(|yielder, ()| {
        let caught = yielder.try_yield(1).unwrap_err();
        yielder.yield_(caught.message().map_or(0, str::len));
    });
    assert_eq!(generator.next(), Some(1));
    assert_eq!(generator.throw("four").unwrap(), Step::Yielded(4));
    let raised = generator.throw("uncaught").unwrap_err();
    assert_eq!(raised.message(), Some("uncaught"));
    assert!(generator.is_over());
}

#[test]
fn a_body_may_catch_what_its_yield_raises() {
    let mut stubborn = Generator::new(|yielder, ()| match catch_unwind(|| yielder.yield_(1)) {
        Ok(()) => "went on",
        Err(payload) => payload.downcast_ref().copied().unwrap_or("something else"),
    });
    assert_eq!(stubborn.resume(()), Step::Yielded(1));
    assert_eq!(stubborn.throw("raised").unwrap(), Step::Returned("raised"));
}

#[test]
fn dropping_or_closing_it_runs_the_destructors_of_its_body() {
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let make = || {
        let guard = Count(drops.clone());
        let mut generator = Generator::new(move |yielder, ()| {
            let _guard = guard;
            yielder.yield_(1);
        });
        generator.next();
        generator
    };
    drop(make());
    assert_eq!(drops.get(), 1);
    let mut closed = make();
    closed.close().unwrap();
    assert_eq!(drops.get(), 2);
    assert_eq!(closed.next(), None);
}

/// The other one is held elsewhere, and keeps a link to whom it has answered.
#[test]
fn dropping_it_ends_its_body_though_a_generator_that_it_resumed_lives_on() {
    let numbers = Rc::new(RefCell::new(Generator::new(|yielder, ()| (0..9).for_each(|n| yielder.yield_(n)))));
    let held = Rc::new(());
    let mut doubles = Generator::new({
        let (numbers, held) = (numbers.clone(), held.clone());
        move |yielder: &Yielder<(), u32>, ()| {
            let _held = held;
            loop {
                let n: u32 = numbers.borrow_mut().next().unwrap();
                yielder.yield_(n * 2);
            }
        }
    });
    assert_eq!((doubles.next(), doubles.next()), (Some(0), Some(2)));
    drop(doubles);
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(numbers.borrow_mut().next(), Some(2));
}
