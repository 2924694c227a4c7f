//! Generators.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenlet::context::Key;
use greenlet::{Generator, GeneratorExit, Greenlet, KillError, Raised, Step, SwitchError, Yielder};

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

/// To itself the body is part of whoever resumes it.
#[test]
fn its_body_runs_as_whoever_resumes_it() {
    static COLOUR: Key<&str> = Key::new();
    greenlet::local! {
        static COUNT: Cell<u32> = Cell::new(0);
    }
    let looks = Rc::new(RefCell::new(Generator::new(|yielder, ()| {
        loop {
            COUNT.with(|count| count.set(count.get() + 1));
            yielder.yield_((Greenlet::<()>::current().id(), COLOUR.get(), COUNT.with(Cell::get)));
        }
    })));
    let look = {
        let looks = looks.clone();
        move || looks.borrow_mut().next().unwrap()
    };
    let root = Greenlet::<()>::current();
    COLOUR.set("red");
    let blue = Greenlet::<()>::new({
        let (look, root) = (look.clone(), root.clone());
        move |()| {
            COLOUR.set("blue");
            let me = Greenlet::<()>::current().id();
            assert_eq!((look(), look()), ((me, Some("blue"), 1), (me, Some("blue"), 2)));
            root.switch(());
            assert_eq!(look(), (me, Some("blue"), 3));
        }
    });
    assert_eq!(look(), (root.id(), Some("red"), 1));
    blue.switch(());
    assert_eq!(look(), (root.id(), Some("red"), 2));
    blue.switch(());
    assert!(blue.is_dead());
}

#[test]
fn what_its_body_switches_to_answers_the_body() {
    let root = Greenlet::<u32>::current();
    let other = Greenlet::<u32>::new(move |mut n| {
        loop {
            n = root.switch(n * 10);
        }
    });
    let mut tens = Generator::new(move |yielder, mut n: u32| {
        loop {
            n = yielder.yield_(other.switch(n) + 1);
        }
    });
    assert_eq!(tens.resume(1), Step::<u32, ()>::Yielded(11));
    assert_eq!(tens.resume(2), Step::Yielded(21));
}

/// A greenlet that waits in the body of a generator, which holds a guard; and whether that is still held.
fn waits_in_a_body(caught: Rc<RefCell<Option<Raised>>>) -> (Greenlet, Rc<()>) {
    let (root, held) = (Greenlet::<()>::current(), Rc::new(()));
    let waits = Greenlet::<()>::new({
        let held = held.clone();
        move |()| {
            let mut generator = Generator::new(move |_: &Yielder<(), ()>, ()| {
                let _held = held;
                root.switch(());
            });
            if let Err(raised) = generator.try_resume(()) {
                assert!(generator.is_over());
                caught.replace(Some(raised));
            }
        }
    });
    waits.switch(());
    (waits, held)
}

#[test]
fn a_kill_unwinds_the_body_that_its_greenlet_is_in_and_goes_on_in_the_greenlet() {
    let caught = Rc::default();
    let (waits, held) = waits_in_a_body(Rc::clone(&caught));
    assert_eq!(Rc::strong_count(&held), 2);
    waits.kill().unwrap();
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(caught.take().unwrap().is_exit());
}

#[test]
fn an_error_thrown_at_a_greenlet_is_raised_in_the_body_that_it_is_in() {
    let caught = Rc::default();
    let (waits, held) = waits_in_a_body(Rc::clone(&caught));
    waits.throw("thrown");
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(caught.take().unwrap().message(), Some("thrown"));
}

#[test]
fn dropping_a_greenlet_drops_the_generators_it_holds() {
    let held = Rc::new(());
    let root = Greenlet::<()>::current();
    let holds = Greenlet::<()>::new({
        let held = held.clone();
        move |()| {
            let mut generator = Generator::new(move |yielder, ()| {
                let _held = held;
                yielder.yield_(1);
            });
            assert_eq!(generator.next(), Some(1));
            root.switch(());
        }
    });
    holds.switch(());
    assert_eq!(Rc::strong_count(&held), 2);
    drop(holds);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn local_data_that_a_suspended_body_uses_outlives_its_greenlet() {
    struct Told(RefCell<Vec<u32>>, Rc<Cell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.1.set(true);
        }
    }
    thread_local!(static DROPPED: Rc<Cell<bool>> = Rc::default());
    greenlet::local! {
        static DATA: Told = Told(RefCell::new(vec![1]), DROPPED.with(Rc::clone));
    }
    let mut generator = Generator::new(|yielder, ()| {
        DATA.with(|data| {
            yielder.yield_(data.0.borrow().len());
            data.0.borrow_mut().push(2);
            yielder.yield_(data.0.borrow().len());
        });
    });
    let generator = {
        let sent = Rc::new(Cell::new(None));
        let back = sent.clone();
        Greenlet::new(move |()| {
            assert_eq!(generator.next(), Some(1));
            back.set(Some(generator));
        })
        .switch(());
        sent.take()
    };
    assert!(!DROPPED.with(|dropped| dropped.get()), "the body still uses it");
    let mut generator = generator.unwrap();
    assert_eq!(generator.next(), Some(2));
    assert_eq!(generator.next(), None);
    assert!(DROPPED.with(|dropped| dropped.get()));
}

#[test]
fn it_may_be_moved_while_its_body_stands() {
    let mut first = Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!(first.next(), Some(0));
    let mut boxed = Box::new(first);
    assert_eq!(boxed.next(), Some(1));
    let mut back = *boxed;
    assert_eq!(back.next(), Some(2));
}

#[test]
fn large_values_go_both_ways_unharmed() {
    let mut doubles = Generator::new(|yielder, mut words: [u64; 32]| {
        loop {
            words.iter_mut().for_each(|word| *word *= 2);
            words = yielder.yield_(words);
            if words[0] == 0 {
                return words.to_vec();
            }
        }
    });
    assert_eq!(doubles.resume([7; 32]), Step::Yielded([14; 32]));
    assert_eq!(doubles.resume([8; 32]), Step::Yielded([16; 32]));
    assert_eq!(doubles.resume([0; 32]), Step::Returned(vec![0; 32]));
}

#[test]
fn every_value_is_dropped_once() {
    let value = Rc::new(());
    let mut generator = Generator::new(|yielder, mut value: Rc<()>| {
        for _ in 0..3 {
            value = yielder.yield_(value);
        }
        value
    });
    for _ in 0..3 {
        assert!(matches!(generator.resume(value.clone()), Step::Yielded(_)));
        assert_eq!(Rc::strong_count(&value), 1);
    }
    assert!(matches!(generator.resume(value.clone()), Step::Returned(_)));
    assert_eq!(Rc::strong_count(&value), 1);
    // What is returned and not taken goes with the generator; so does a body that never ran.
    let held = value.clone();
    drop(Generator::<(), (), ()>::new(move |_, ()| drop(held)));
    assert_eq!(Rc::strong_count(&value), 1);
}

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

/// What is sound does not lend it further. In debug builds that is looked at.
#[test]
#[cfg(debug_assertions)]
fn its_values_are_yielded_on_its_own_stack_only() {
    thread_local! {
        static YIELDER: Cell<*const Yielder<(), u32>> = const { Cell::new(std::ptr::null()) };
    }
    fn elsewhere() {
        // SAFETY: the body stands where it lent it.
        unsafe { &*YIELDER.get() }.yield_(1);
    }
    let is_refused =
        |raised: Raised| raised.message().unwrap().contains("on the stack of its body, and nowhere else");
    let mut generator = Generator::new(move |yielder, ()| {
        YIELDER.set(yielder);
        let other = Greenlet::<()>::new(|()| elsewhere());
        assert!(is_refused(other.try_switch(()).unwrap_err()));
        let mut other = Generator::<(), (), ()>::new(|_, ()| elsewhere());
        assert!(is_refused(other.try_resume(()).unwrap_err()));
        yielder.yield_(2);
    });
    assert_eq!(generator.next(), Some(2));
    assert!(catch_unwind(elsewhere).is_err(), "the body does not even run");
    assert_eq!(generator.next(), None);
}

#[test]
fn a_value_that_is_refused_comes_back() {
    let mut generator = Generator::new(|yielder, mut n: u32| {
        loop {
            n = yielder.yield_(n);
        }
    });
    assert_eq!(generator.resume(1), Step::<u32, ()>::Yielded(1));
    let mut refused = None;
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| refused = generator.try_resume(7).unwrap_err().take_value::<u32>());
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    assert_eq!(refused, Some(7));
    assert_eq!(generator.resume(8), Step::Yielded(8));
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

/// Its second yield is from deeper calls, and answers a plain resume: of that its block has not been told.
#[test]
fn where_it_has_yielded_last_is_known_to_a_refusal_a_throw_and_a_close() {
    #[inline(never)]
    fn deeper(yielder: &Yielder<(), u32>) -> u32 {
        let room = black_box([1_u8; 256]);
        let caught = yielder.try_yield(1).is_err();
        u32::from(black_box(room)[0]) + u32::from(caught)
    }
    let held = Rc::new(());
    let make = || {
        let held = held.clone();
        let mut generator = Generator::new(move |yielder, ()| {
            let _held = held;
            yielder.yield_(0);
            let n = deeper(yielder);
            yielder.yield_(n);
        });
        assert_eq!((generator.next(), generator.next()), (Some(0), Some(1)));
        generator
    };
    let mut refused = make();
    assert!(refused_in_a_destructor(|| refused.try_resume(())));
    assert_eq!((refused.next(), refused.next()), (Some(1), None));
    assert_eq!(make().throw("thrown").unwrap(), Step::Yielded(2));
    let mut closed = make();
    assert!(matches!(closed.close(), Err(KillError::Refused)));
    closed.close().unwrap();
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

#[test]
fn its_debug_text_says_where_in_its_life_it_is() {
    let mut generator = Generator::new(|yielder, ()| yielder.yield_(1));
    let mut texts = vec![format!("{generator:?}")];
    while generator.next().is_some() {
        texts.push(format!("{generator:?}"));
    }
    texts.push(format!("{generator:?}"));
    for (text, state) in texts.iter().zip(["Unstarted", "Started", "Over"]) {
        assert!(text.contains(state), "{text}");
    }
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
fn none_starts_while_its_thread_ends() {
    struct AtEnd(std::sync::mpsc::Sender<bool>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let tried = Generator::<(), (), ()>::new(|_, ()| ()).try_resume(());
            let is_refused =
                tried.is_err_and(|raised| matches!(raised.refusal(), Some(SwitchError::ThreadEnding)));
            self.0.send(is_refused).unwrap();
        }
    }
    thread_local!(static AT_END: Cell<Option<AtEnd>> = const { Cell::new(None) });
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        AT_END.set(Some(AtEnd(sender)));
        Greenlet::new(|()| ()).switch(());
    })
    .join()
    .unwrap();
    assert!(receiver.recv().unwrap());
}

/// Generators and greenlets in turn take the stacks that others leave.
#[test]
fn many_that_begin_and_end_share_their_stacks_with_greenlets() {
    for round in 0..200_u32 {
        let mut generators: Vec<_> = (0..20)
            .map(|n| {
                Generator::new(move |yielder, ()| (0..3).for_each(|m: u32| yielder.yield_(n * m + round)))
            })
            .collect();
        let started = generators.iter_mut().enumerate().filter(|(n, _)| n % 3 != 0);
        started.for_each(|(_, generator)| assert_eq!(generator.next(), Some(round)));
        assert_eq!(Greenlet::new(move |n: u32| n + round).switch(1), round + 1);
        for (n, generator) in generators.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
            let last = generator.last();
            assert_eq!(last, Some(n as u32 * 2 + round));
        }
    }
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

/// Panics as it is dropped.
#[derive(Default)]
struct Rude {
    _held: std::sync::Arc<()>,
}

impl Drop for Rude {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("rude"));
    }
}

#[test]
fn what_is_thrown_and_not_raised_is_dropped_whatever_its_destructor_does() {
    let held = std::sync::Arc::new(());
    let on_drop = OnDrop(|| std::panic::resume_unwind(Box::new("unrun")));
    let mut unstarted = Generator::<(), (), ()>::new(move |_, ()| drop(on_drop));
    assert_eq!(unstarted.throw(Rude { _held: held.clone() }).unwrap_err().message(), Some("unrun"));
    let mut suspended = Generator::new(|yielder, ()| yielder.yield_(1));
    assert_eq!(suspended.next(), Some(1));
    assert!(refused_in_a_destructor(|| suspended.throw(Rude { _held: held.clone() })));
    assert_eq!(suspended.next(), None, "it was left as it was");
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
}

/// Whether what is tried is refused where a panic is on its way.
fn refused_in_a_destructor<T>(mut tried: impl FnMut() -> Result<T, Raised>) -> bool {
    let mut was_refused = false;
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| was_refused = is_refused_while_unwinding(tried()));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    unwound.is_err() && was_refused
}

fn is_refused_while_unwinding<T>(tried: Result<T, Raised>) -> bool {
    tried.is_err_and(|raised| matches!(raised.refusal(), Some(SwitchError::Unwinding)))
}

#[test]
fn a_destructor_does_not_resume_it_while_a_panic_is_on_its_way() {
    let mut generator = Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!(generator.next(), Some(0));
    assert!(refused_in_a_destructor(|| generator.try_resume(())));
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
fn a_value_that_its_yield_is_refused_comes_back() {
    let refused = Rc::new(Cell::new(None));
    let mut generator = Generator::new({
        let refused = refused.clone();
        move |yielder: &Yielder<(), u32>, ()| {
            let _on_drop = OnDrop(|| refused.set(yielder.try_yield(7).unwrap_err().take_value::<u32>()));
            std::panic::resume_unwind(Box::new("broken"));
        }
    });
    assert_eq!(generator.try_resume(()).unwrap_err().message(), Some("broken"));
    assert_eq!(refused.get(), Some(7));
}

#[test]
fn a_misuse_is_reported_at_its_place_in_the_users_code() {
    thread_local! {
        static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    fn misuse(what: &str, f: impl FnOnce()) {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let formatted = payload.downcast_ref().map(String::as_str);
        assert_eq!(payload.downcast_ref().copied().or(formatted), Some(what));
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
    misuse("the generator is over", || _ = over.throw("thrown"));
    let unwinding = SwitchError::Unwinding.to_string();
    let mut broken = Generator::new({
        let unwinding = unwinding.clone();
        move |yielder: &Yielder<(), ()>, ()| {
            let _on_drop = OnDrop(|| misuse(&unwinding, || yielder.yield_(())));
            std::panic::resume_unwind(Box::new("broken"));
        }
    });
    assert_eq!(broken.try_resume(()).unwrap_err().message(), Some("broken"));
    let mut fresh = Generator::new(|_: &Yielder<(), ()>, ()| ());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| misuse(&unwinding, || _ = fresh.resume(())));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    drop(std::panic::take_hook());
}

#[cfg(feature = "hub")]
mod in_a_hub {
    use std::time::Duration;

    use super::*;
    use greenlet::{TimeoutError, join_all, sleep, spawn, with_timeout, yield_now};

    #[test]
    fn while_a_body_waits_its_resumer_does_and_others_run() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks = ["a", "b"].map(|name| {
            let order = order.clone();
            spawn(move || {
                let generator = Generator::new(|yielder, ()| {
                    for n in 0..2_u32 {
                        yield_now();
                        yielder.yield_(n);
                    }
                });
                generator.for_each(|n| order.borrow_mut().push((name, n)));
            })
        });
        join_all(&tasks, None);
        assert_eq!(*order.borrow(), [("a", 0), ("b", 0), ("a", 1), ("b", 1)]);
    }

    #[test]
    fn a_timeout_of_its_resumer_unwinds_the_body() {
        let held = Rc::new(());
        let mut generator = Generator::new({
            let held = held.clone();
            move |yielder, ()| {
                let _held = held;
                yielder.yield_(1);
                sleep(Duration::from_secs(3600));
            }
        });
        assert_eq!(generator.next(), Some(1));
        let timed_out = with_timeout(Duration::from_millis(1), || generator.next());
        assert_eq!(timed_out, Err(TimeoutError::Elapsed));
        assert!(generator.is_over());
        assert_eq!(Rc::strong_count(&held), 1);
    }

    /// It is started in a task that is gone when it is resumed by others.
    #[test]
    fn it_goes_from_task_to_task() {
        let mut generator = Generator::new(|yielder, ()| {
            loop {
                yield_now();
                yielder.yield_(Greenlet::<()>::current().id());
            }
        });
        let mut seen = Vec::new();
        for _ in 0..3 {
            let task = spawn(move || {
                let id = generator.next();
                (Greenlet::<()>::current().id(), id, generator)
            });
            let (task_id, id, back) = task.join().unwrap();
            assert_eq!(id, Some(task_id));
            generator = back;
            seen.push(task_id);
        }
        assert!(generator.next().is_some_and(|id| !seen.contains(&id)));
    }

    /// On its way out the body waits, as its dropper.
    fn dawdler() -> Generator<(), u32, ()> {
        let mut generator = Generator::new(|yielder, ()| {
            if yielder.try_yield(1).is_err() {
                sleep(Duration::from_secs(3600));
            }
        });
        assert_eq!(generator.next(), Some(1));
        generator
    }

    #[test]
    fn a_kill_that_comes_while_a_body_is_unwound_ends_who_unwinds_it() {
        type End = fn(Generator<(), u32, ()>);
        let ends: [End; 2] = [drop, |mut generator| generator.close().unwrap()];
        for end in ends {
            let went_on = Rc::new(Cell::new(false));
            let task = spawn({
                let went_on = went_on.clone();
                move || {
                    end(dawdler());
                    went_on.set(true);
                }
            });
            yield_now();
            assert!(task.kill_and_wait(None).unwrap());
            assert!(task.error().unwrap().is_killed() && !went_on.get());
        }
    }

    #[test]
    fn a_timeout_that_comes_while_a_body_is_unwound_is_that_of_who_unwinds_it() {
        let timed_out = with_timeout(Duration::from_millis(1), || drop(dawdler()));
        assert_eq!(timed_out, Err(TimeoutError::Elapsed));
    }

    #[test]
    fn a_task_that_is_killed_in_a_body_unwinds_it() {
        let held = Rc::new(());
        let task = spawn({
            let held = held.clone();
            move || {
                let generator = Generator::new(move |_: &Yielder<(), ()>, ()| {
                    let _held = held;
                    sleep(Duration::from_secs(3600));
                });
                generator.count()
            }
        });
        yield_now();
        assert_eq!(Rc::strong_count(&held), 2);
        assert!(task.kill_and_wait(None).unwrap());
        assert_eq!(Rc::strong_count(&held), 1);
    }

    /// What the call waits with is in the hub, which nobody may be there for any more.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_body_may_yield_in_a_call_that_a_signal_or_a_close_ends() {
        use greenlet::hub::embed::{Ended, OnSignal, close_fd, note_signal, unless_closed, until_signal};

        let closed = 1_000_000;
        let generator = Rc::new(RefCell::new(Generator::new(move |yielder: &Yielder<(), bool>, ()| {
            until_signal(OnSignal::End, |signal| {
                yielder.yield_(signal.has_come());
                yielder.yield_(signal.has_come());
            });
            let ended = unless_closed(closed, || {
                yielder.yield_(true);
                Ended::Woken
            });
            yielder.yield_(matches!(ended, Ended::Closed));
        })));
        // The greenlets that resume it end, and others take their places.
        let resume = move || {
            let generator = generator.clone();
            let next = spawn(move || generator.borrow_mut().next()).join().unwrap();
            let busy = (0..20_u32).map(|n| spawn(move || [n; 300][n as usize]));
            assert_eq!(busy.map(|task| task.join().unwrap()).sum::<u32>(), 190);
            next
        };
        assert_eq!(resume(), Some(false));
        note_signal(false);
        yield_now();
        assert_eq!(resume(), Some(true));
        assert_eq!(resume(), Some(true));
        close_fd(closed);
        assert_eq!(resume(), Some(true));
        assert_eq!(resume(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_body_that_has_yielded_in_such_a_call_may_be_unwound_when_the_hub_has_ended() {
        use greenlet::hub::embed::{Ended, OnSignal, unless_closed, until_signal, while_handling};

        thread_local!(static KEPT: RefCell<Vec<Generator<(), (), ()>>> = const { RefCell::new(Vec::new()) });
        type Body = fn(&Yielder<(), ()>, ());
        let bodies: [Body; 3] = [
            |yielder, ()| until_signal(OnSignal::End, |_| yielder.yield_(())),
            |yielder, ()| {
                unless_closed(1_000_000, || {
                    yielder.yield_(());
                    Ended::Woken
                });
            },
            |yielder, ()| while_handling(|| yielder.yield_(())),
        ];
        for body in bodies {
            std::thread::spawn(move || {
                // Before the hub, so that it goes later.
                KEPT.with(|_| ());
                spawn(|| ()).join().unwrap();
                let mut generator = Generator::new(body);
                assert_eq!(generator.next(), Some(()));
                KEPT.with_borrow_mut(|kept| kept.push(generator));
            })
            .join()
            .unwrap();
        }
    }
}
