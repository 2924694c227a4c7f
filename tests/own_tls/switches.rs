//! Ways from one storage into another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::{Builder, Generator, Greenlet, KillError, SwitchError, trace};

use crate::{NUMBER, own};

#[test]
fn one_may_switch_straight_to_another() {
    let main = Greenlet::<u32>::current();
    let pong = own().build(move |mut n: u32| {
        loop {
            NUMBER.set(NUMBER.get() + 1);
            n = main.switch(n + NUMBER.get());
        }
    });
    let ping = {
        let pong = pong.clone();
        own().build(move |n: u32| {
            NUMBER.set(1000);
            let back = pong.switch(n);
            assert_eq!(NUMBER.get(), 1000);
            back
        })
    };
    assert_eq!(ping.switch(0), 2, "main gets it from pong");
    assert_eq!(ping.switch(7), 7);
    assert_eq!(pong.switch(0), 3);
}

#[test]
fn large_values_cross_unharmed() {
    let main = Greenlet::<[u64; 32]>::current();
    let g = own().build(move |mut value: [u64; 32]| {
        for _ in 0..3 {
            value[31] += 1;
            value = main.switch(value);
        }
        value
    });
    for n in 0..3 {
        assert_eq!(g.switch([n; 32])[31], n + 1);
    }
    assert_eq!(g.switch([9; 32]), [9; 32]);
    assert!(g.is_dead());
}

#[test]
fn an_unstarted_parent_starts_in_storage_of_its_own() {
    type Make = fn() -> greenlet::Builder<u32>;
    let makes: [Make; 2] = [own, Greenlet::builder];
    for (parent_of, child_of) in [(0, 0), (0, 1), (1, 0)] {
        NUMBER.set(50);
        let parent = makes[parent_of]().build(move |n: u32| {
            assert_eq!(NUMBER.get(), if parent_of == 0 { 1 } else { 50 });
            n + 1
        });
        let child = makes[child_of]().parent(&parent).build(move |n| {
            assert_eq!(NUMBER.get(), if child_of == 0 { 1 } else { 50 });
            n + 1
        });
        assert_eq!(child.switch(1), 3);
        assert!(parent.is_dead() && child.is_dead());
    }
    NUMBER.set(1);
}

#[test]
fn hooks_run_in_the_storage_of_who_is_continued() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    NUMBER.set(60);
    let main = Greenlet::<()>::current();
    let g = own().build(move |()| {
        NUMBER.set(61);
        main.switch(());
    });
    trace::set(move |_| log.borrow_mut().push(NUMBER.get()));
    g.switch(());
    g.switch(());
    trace::clear();
    assert_eq!(*seen.borrow(), [1, 60, 61, 60]);
    NUMBER.set(1);
}

/// Its body may hold references into what that greenlet has to itself, and they would dangle.
#[test]
fn a_generator_stays_in_the_storage_that_it_has_started_in() {
    type Numbers = Generator<(), u32, ()>;
    fn numbers() -> Numbers {
        Generator::new(|yielder, ()| {
            loop {
                NUMBER.set(NUMBER.get() * 2);
                yielder.yield_(NUMBER.get());
            }
        })
    }
    fn refuses(generator: &mut Numbers) -> bool {
        let is_other = |error: Option<&SwitchError>| matches!(error, Some(SwitchError::OtherStorage));
        generator.try_resume(()).is_err_and(|raised| is_other(raised.refusal()))
            && generator.throw("thrown").is_err_and(|raised| is_other(raised.refusal()))
            && matches!(generator.close(), Err(KillError::OtherStorage))
    }
    let (main, shared) = (Greenlet::<()>::current(), Rc::new(RefCell::new([numbers(), numbers()])));
    let apart = own().build({
        let shared = shared.clone();
        move |()| {
            let next = || shared.borrow_mut()[0].next();
            assert_eq!((next(), next()), (Some(2), Some(4)));
            main.switch(());
            assert_eq!(next(), Some(8));
            assert!(refuses(&mut shared.borrow_mut()[1]));
            shared.borrow_mut()[0].close().unwrap();
        }
    });
    apart.switch(());
    assert!(refuses(&mut shared.borrow_mut()[0]));
    assert_eq!(shared.borrow_mut()[1].next(), Some(2));
    apart.switch(());
    assert_eq!(shared.borrow_mut()[1].next(), Some(4));
    assert!(shared.borrow()[0].is_over());
    NUMBER.set(1);
}

/// Who waits in a chain of calls.
type Callers = Rc<RefCell<Vec<Greenlet>>>;

#[test]
fn one_that_only_its_child_keeps_goes_on_when_the_child_ends() {
    type Options = fn() -> Builder<()>;
    let (own, shared): (Options, Options) = (own, Greenlet::builder);
    for (parents, childs) in [(own, shared), (shared, own), (own, own)] {
        let (main, went_on) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
        let (callers, child) = (Callers::default(), Rc::new(Cell::new(None)));
        let parent = parents().build({
            let (callers, child, went_on) = (callers.clone(), child.clone(), went_on.clone());
            move |()| {
                // Those who hold the handles of both are gone when it ends.
                let kill = move |()| callers.take().iter().for_each(|caller| caller.kill().unwrap());
                child.set(Some(childs().build(kill)));
                main.switch(());
                went_on.set(true);
            }
        });
        let calls_parent = Greenlet::new(move |()| parent.switch(()));
        callers.borrow_mut().push(calls_parent.clone());
        calls_parent.switch(());
        let child = child.take().unwrap();
        let calls_child = Greenlet::new(move |()| child.switch(()));
        callers.borrow_mut().push(calls_child.clone());
        calls_child.switch(());
        assert!(went_on.get());
    }
}

#[test]
fn an_error_goes_on_to_one_that_only_the_way_keeps() {
    /// Makes the root the parent of a greenlet, when it is dropped.
    struct Reparents(Rc<Cell<Option<Greenlet>>>);
    impl Drop for Reparents {
        fn drop(&mut self) {
            let greenlet = self.0.take().unwrap();
            greenlet.set_parent(&Greenlet::<()>::root()).unwrap();
        }
    }
    let (main, heard) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let grandparent = own().build({
        let heard = heard.clone();
        move |()| heard.set(main.try_switch(()).is_err())
    });
    grandparent.switch(());
    let slot = Rc::new(Cell::new(None));
    let reparents = Reparents(slot.clone());
    let parent = own().parent(&grandparent).build(move |()| drop(reparents));
    let g = own().parent(&parent).build(|()| panic!("as it should"));
    drop((parent, grandparent));
    slot.set(Some(g.clone()));
    g.switch(());
    assert!(heard.get());
}
