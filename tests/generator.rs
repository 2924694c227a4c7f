//! Generators.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::context::{Context, Key};
use greenlet::{Generator, Greenlet, Raised, Step, SwitchError, Yielder};

// test_generator.py: test_generator
#[test]
fn a_generator_yields_its_values_in_order_and_ends() {
    for _ in 0..3 {
        let generator = Generator::new(|yielder, ()| (0..5).for_each(|n| yielder.yield_(n)));
        assert_eq!(generator.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}

// test_generator_nested.py: test_genlet_simple
#[test]
fn it_may_yield_from_any_depth_of_calls() {
    fn deep(yielder: &greenlet::Yielder<(), u32>, depth: u32) {
        if depth > 0 {
            deep(yielder, depth - 1);
        }
        yielder.yield_(depth);
    }
    let generator = Generator::new(|yielder, ()| deep(yielder, 3));
    assert_eq!(generator.collect::<Vec<_>>(), [0, 1, 2, 3]);
}

// test_generator_nested.py: test_permutations
#[test]
fn recursive_generators_run_in_lockstep() {
    fn permutations(items: Vec<u32>) -> Generator<(), Vec<u32>, ()> {
        Generator::new(move |yielder, ()| {
            let Some((first, rest)) = items.split_first() else {
                yielder.yield_(Vec::new());
                return;
            };
            for shorter in permutations(rest.to_vec()) {
                for place in 0..=shorter.len() {
                    let mut longer = shorter.clone();
                    longer.insert(place, *first);
                    yielder.yield_(longer);
                }
            }
        })
    }
    let pairs: Vec<_> = permutations(vec![1, 2, 3]).zip(permutations(vec![4, 5, 6])).collect();
    assert_eq!(pairs.len(), 6);
    assert_eq!(pairs[0], (vec![1, 2, 3], vec![4, 5, 6]));
    assert!(pairs.iter().all(|(a, b)| a.iter().zip(b).all(|(a, b)| a + 3 == *b)));
}

// test_generator_nested.py: test_nested_genlets
#[test]
fn generators_delegate_to_generators() {
    fn nested(depth: u32) -> Generator<(), u32, ()> {
        Generator::new(move |yielder, ()| {
            yielder.yield_(depth);
            if depth > 0 {
                nested(depth - 1).for_each(|n| yielder.yield_(n));
            }
        })
    }
    assert_eq!(nested(5).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
}

// test_generator_nested.py: test_layered_genlets
#[test]
fn a_yield_may_skip_a_level() {
    let outer = Generator::new(|outer: &greenlet::Yielder<(), u32>, ()| {
        for n in
            Generator::new(|inner: &greenlet::Yielder<(), u32>, ()| (0..3).for_each(|n| inner.yield_(n * 2)))
        {
            outer.yield_(n);
            outer.yield_(n + 1);
        }
    });
    assert_eq!(outer.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn values_go_both_ways_and_the_result_comes_last() {
    let mut generator = Generator::new(|yielder, mut n: u32| {
        let mut sent = String::new();
        while n != 0 {
            sent += &n.to_string();
            n = yielder.yield_(n * 2);
        }
        sent
    });
    assert_eq!(generator.resume(1), Step::Yielded(2));
    assert_eq!(generator.resume(2), Step::Yielded(4));
    assert_eq!(generator.resume(0), Step::Returned("12".into()));
    assert!(generator.is_over());
}

#[test]
fn it_answers_whoever_resumes_it() {
    let generator =
        Rc::new(Cell::new(Some(Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n))))));
    let take = {
        let generator = generator.clone();
        move || {
            let mut taken = generator.take().unwrap();
            let n = taken.next().unwrap();
            generator.set(Some(taken));
            n
        }
    };
    assert_eq!(take(), 0);
    let other = {
        let take = take.clone();
        Greenlet::<u32>::new(move |_| take())
    };
    assert_eq!(other.switch(0), 1);
    assert_eq!(take(), 2);
}

/// Its place among greenlets can be changed from outside; who resumes it is answered all the same.
#[test]
fn it_answers_its_resumer_whatever_parent_it_has_been_given() {
    let handle = Rc::new(Cell::new(None));
    let mut generator = Generator::new({
        let handle = handle.clone();
        move |yielder, ()| {
            handle.set(Some(Greenlet::<()>::current()));
            (0..9).for_each(|n: u32| yielder.yield_(n));
        }
    });
    assert_eq!(generator.next(), Some(0));
    let handle: Greenlet = handle.take().unwrap();
    let other = Greenlet::<()>::new(|()| unreachable!("nobody switches here"));
    handle.set_parent(&other).unwrap();
    assert_eq!(generator.next(), Some(1));
    assert_eq!(generator.next(), Some(2));
    handle.set_parent(&Greenlet::<()>::current()).unwrap();
    assert_eq!(generator.next(), Some(3));
}

/// Who has resumed it was called away, so that its handle is free, and now the one that it waits for has it.
#[test]
fn one_that_waits_for_another_generator_is_not_resumed_by_that() {
    type Body = Generator<(), u32, ()>;
    let outer = Rc::new(Cell::new(None::<Body>));
    let inner_greenlet = Rc::new(Cell::new(None::<Greenlet>));
    let was_refused = Rc::new(Cell::new(false));
    let main = Greenlet::<()>::current();
    let inner = {
        let (outer, inner_greenlet, was_refused) =
            (outer.clone(), inner_greenlet.clone(), was_refused.clone());
        Generator::new(move |yielder: &greenlet::Yielder<(), u32>, ()| {
            yielder.yield_(1);
            inner_greenlet.set(Some(Greenlet::current()));
            main.throw("called away");
            let mut outer = outer.take().unwrap();
            let refused = catch_unwind(AssertUnwindSafe(|| outer.resume(()))).unwrap_err();
            was_refused.set(refused.downcast_ref() == Some(&"the generator is running already"));
            yielder.yield_(2);
            std::mem::forget(outer);
        })
    };
    let mut generator: Body = Generator::new(|yielder, ()| inner.for_each(|n| yielder.yield_(n * 10)));
    assert_eq!(generator.next(), Some(10));
    assert_eq!(generator.try_resume(()).unwrap_err().message(), Some("called away"));
    outer.set(Some(generator));
    // It goes on with the generator that it is in, which answers who resumed it last.
    let raised = inner_greenlet.take().unwrap().try_switch(());
    assert!(raised.is_err(), "20 is not what a switch waits for");
    assert!(was_refused.get());
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

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

fn is_refused_while_unwinding<T>(tried: Result<T, Raised>) -> bool {
    tried.is_err_and(|raised| matches!(raised.refusal(), Some(SwitchError::Unwinding)))
}

#[test]
fn a_destructor_does_not_resume_it_while_a_panic_is_on_its_way() {
    let mut generator = Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!(generator.next(), Some(0));
    let mut was_refused = false;
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| was_refused = is_refused_while_unwinding(generator.try_resume(())));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err() && was_refused);
    assert_eq!(generator.next(), Some(1));
}

#[test]
fn a_destructor_of_its_body_does_not_yield_while_the_body_unwinds() {
    let was_refused = Rc::new(Cell::new(false));
    let mut generator = Generator::new({
        let was_refused = was_refused.clone();
        move |yielder: &Yielder<(), u32>, ()| {
            let _on_drop = OnDrop(|| was_refused.set(is_refused_while_unwinding(yielder.try_yield(2))));
            yielder.yield_(1);
            std::panic::resume_unwind(Box::new("broken"));
        }
    });
    assert_eq!(generator.next(), Some(1));
    assert!(matches!(generator.try_resume(()), Err(raised) if raised.message() == Some("broken")));
    assert!(was_refused.get());
}

#[test]
fn a_misuse_is_reported_at_its_place_in_the_users_code() {
    thread_local! {
        static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    fn misuse(what: &str, f: impl FnOnce()) {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&what));
        assert!(PLACE.with(RefCell::take).starts_with("tests"), "{what}");
    }
    std::panic::set_hook(Box::new(|panic| {
        let file = panic.location().map(|location| location.file().to_string());
        PLACE.with(|place| place.replace(file.unwrap_or_default()));
    }));
    let mut over = Generator::new(|_: &greenlet::Yielder<(), ()>, ()| ());
    assert_eq!(over.resume(()), Step::Returned(()));
    misuse("the generator is over", || _ = over.resume(()));
    misuse("the generator is over", || _ = over.try_resume(()));
    drop(std::panic::take_hook());
}

#[test]
fn only_the_generators_own_greenlet_yields_its_values() {
    thread_local! {
        static YIELDER: Cell<*const Yielder<(), u32>> = const { Cell::new(std::ptr::null()) };
    }
    let mut generator = Generator::new(move |yielder, ()| {
        YIELDER.set(yielder);
        let other = Greenlet::<()>::new(|()| {
            // SAFETY: the body stands where it lent it, as it waits for this.
            unsafe { &*YIELDER.get() }.yield_(1);
        });
        assert!(other.try_switch(()).unwrap_err().message().unwrap().contains("own greenlet"));
        yielder.yield_(2);
    });
    assert_eq!(generator.next(), Some(2));
}

#[test]
fn it_has_the_name_and_the_context_of_its_options() {
    static COLOUR: Key<&str> = Key::new();
    COLOUR.set("red");
    let options = Greenlet::builder().name("painter").context(Context::current());
    let mut generator = Generator::with_options(options, |yielder, ()| {
        yielder.yield_((Greenlet::<()>::current().name(), COLOUR.get()));
    });
    assert_eq!(generator.next(), Some((Some("painter".to_string()), Some("red"))));
}
