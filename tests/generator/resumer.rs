//! The body runs as whoever resumes it.

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::rc::Rc;

use greenlet::context::{Context, Key};
use greenlet::{Generator, Greenlet, Raised, Step, Yielder};

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
fn a_context_that_its_body_runs_in_gives_way_to_the_old_one_where_it_began() {
    static COLOUR: Key<&str> = Key::new();
    COLOUR.set("red");
    let red = Context::current();
    COLOUR.set("blue");
    let mut generator = Generator::new(move |yielder, ()| red.run(|| yielder.yield_(())));
    assert_eq!(generator.next(), Some(()));
    assert_eq!(COLOUR.get(), Some("red"));
    let other = Greenlet::<()>::new(move |()| {
        COLOUR.set("green");
        assert_eq!(generator.next(), None);
        assert_eq!(COLOUR.get(), Some("green"));
    });
    other.switch(());
    assert_eq!(COLOUR.get(), Some("blue"));
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
