//! What a greenlet carries with it: local data, contexts, weak handles.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenlet::context::{Context, Key};
use greenlet::{Greenlet, WeakGreenlet};

type Log = Rc<RefCell<Vec<String>>>;

struct Note(&'static str, Log);

impl Drop for Note {
    fn drop(&mut self) {
        let state = Greenlet::<()>::current().state();
        self.1.borrow_mut().push(format!("{} {state:?}", self.0));
    }
}

greenlet::local! {
    static NUMBER: Cell<u32> = Cell::new(5);
    static NOTES: RefCell<Vec<Note>> = RefCell::default();
    static MORE: RefCell<Vec<Note>> = RefCell::default();
}

// test_greenlet.py: test_instance_dict
#[test]
fn each_greenlet_has_its_own_local_data() {
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new(move |n: u32| {
        NUMBER.with(|number| number.set(n));
        main.switch(0);
        NUMBER.with(Cell::get)
    });
    g.switch(9);
    assert_eq!(NUMBER.with(|number| number.replace(6)), 5);
    assert_eq!(g.switch(0), 9);
    assert_eq!(NUMBER.with(Cell::get), 6);
}

#[test]
fn local_data_is_dropped_at_death_on_the_greenlet_itself_the_youngest_first() {
    let log = Log::default();
    let g = Greenlet::<()>::new({
        let log = log.clone();
        move |()| {
            NOTES.with(|notes| notes.borrow_mut().push(Note("older", log.clone())));
            MORE.with(|notes| notes.borrow_mut().push(Note("younger", log.clone())));
        }
    });
    g.switch(());
    assert_eq!(*log.borrow(), ["younger Running", "older Running"], "the handle g still exists");
}

#[test]
fn local_data_that_destructors_of_local_data_make_is_dropped_with_it() {
    struct MakesANote(Log);
    impl Drop for MakesANote {
        fn drop(&mut self) {
            NOTES.with(|notes| notes.borrow_mut().push(Note("made on the way", self.0.clone())));
        }
    }
    greenlet::local! {
        static MAKERS: RefCell<Vec<MakesANote>> = RefCell::default();
    }
    let log = Log::default();
    let g = Greenlet::<()>::new({
        let log = log.clone();
        move |()| MAKERS.with(|makers| makers.borrow_mut().push(MakesANote(log)))
    });
    g.switch(());
    assert_eq!(*log.borrow(), ["made on the way Running"], "the handle g still exists");
}

#[test]
fn local_data_of_one_that_is_killed_or_panics_is_dropped_on_it_too() {
    struct Look(Rc<Cell<Option<u64>>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.set(Some(Greenlet::<()>::current().id()));
        }
    }
    greenlet::local! {
        static LOOK: Cell<Option<Look>> = Cell::default();
    }
    for kill in [true, false] {
        let (main, dropped_on) = (Greenlet::<()>::current(), Rc::new(Cell::new(None)));
        let g = Greenlet::<()>::new({
            let dropped_on = dropped_on.clone();
            move |()| {
                LOOK.with(|look| look.set(Some(Look(dropped_on))));
                main.switch(());
                std::panic::resume_unwind(Box::new("error"));
            }
        });
        g.switch(());
        if kill {
            g.kill().unwrap();
        } else {
            assert!(g.try_switch(()).is_err());
        }
        assert_eq!(dropped_on.get(), Some(g.id()), "the handle g still exists; kill: {kill}");
    }
}

#[test]
fn local_data_that_panics_as_it_is_dropped_keeps_no_other_data() {
    struct Rude;
    impl Drop for Rude {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("rude"));
        }
    }
    greenlet::local! {
        static RUDE: Rude = Rude;
    }
    let log = Log::default();
    let g = Greenlet::<()>::new({
        let log = log.clone();
        move |()| {
            NOTES.with(|notes| notes.borrow_mut().push(Note("older", log)));
            RUDE.with(|_| ());
        }
    });
    g.switch(());
    assert_eq!(*log.borrow(), ["older Running"], "the handle g still exists");
}

#[test]
fn local_data_of_a_root_is_dropped_at_the_end_of_its_thread_whoever_has_handles() {
    type Told = std::sync::mpsc::Sender<&'static str>;
    struct Tell(Told);
    impl Drop for Tell {
        fn drop(&mut self) {
            assert!(Greenlet::<()>::current().is_root());
            self.0.send("data").unwrap();
        }
    }
    struct Holder(Cell<Option<(Greenlet, Told)>>);
    impl Drop for Holder {
        fn drop(&mut self) {
            self.0.take().unwrap().1.send("handle").unwrap();
        }
    }
    greenlet::local! {
        static TELL: RefCell<Option<Tell>> = RefCell::default();
    }
    thread_local! {
        static HOLDER: Holder = const { Holder(Cell::new(None)) };
    }
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        HOLDER.with(|_| ()); // before there is any greenlet, so that it is destroyed after their end
        HOLDER.with(|holder| holder.0.set(Some((Greenlet::current(), sender.clone()))));
        TELL.with(|tell| tell.replace(Some(Tell(sender))));
    })
    .join()
    .unwrap();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["data", "handle"]);
}

#[test]
fn local_data_may_be_used_while_other_local_data_is_in_use() {
    let sum =
        NUMBER.with(|a| NOTES.with(|notes| NUMBER.with(|b| a.get() + b.get() + notes.borrow().len() as u32)));
    assert_eq!(sum, 10);
}

static COLOUR: Key<&str> = Key::new();
static SIZE: Key<u32> = Key::new();

// test_contextvars.py: test_context_not_propagated
#[test]
fn a_new_greenlet_starts_with_an_empty_context() {
    COLOUR.set("red");
    Greenlet::<()>::new(|()| assert_eq!(COLOUR.get(), None)).switch(());
    assert_eq!(COLOUR.get(), Some("red"));
}

// test_contextvars.py: test_context_propagated_by_setting_attribute
#[test]
fn a_context_can_be_given_by_the_builder_and_by_set_context() {
    COLOUR.set("red");
    let built = Greenlet::<()>::builder()
        .context(Context::current())
        .build(|()| assert_eq!(COLOUR.get(), Some("red")));
    built.switch(());
    let set = Greenlet::<()>::new(|()| assert_eq!(COLOUR.get(), Some("red")));
    assert!(set.set_context(Context::current()).is_empty());
    set.switch(());
    assert!(!set.context().is_empty(), "it survives death");
}

// test_contextvars.py: test_context_propagated_by_context_run
#[test]
fn a_context_runs_a_function_and_is_put_back() {
    COLOUR.set("red");
    let red = Context::current();
    COLOUR.set("blue");
    assert_eq!(red.run(|| COLOUR.get()), Some("red"));
    assert_eq!(COLOUR.get(), Some("blue"));
    let unwound = std::panic::AssertUnwindSafe(|| red.run(|| std::panic::resume_unwind(Box::new(()))));
    let _ = std::panic::catch_unwind(unwound);
    assert_eq!(COLOUR.get(), Some("blue"));
}

// test_contextvars.py: test_context_shared
#[test]
fn greenlets_with_the_same_context_do_not_see_each_others_settings() {
    COLOUR.set("red");
    let main = Greenlet::<()>::current();
    let g = Greenlet::builder().context(Context::current()).build(move |()| {
        SIZE.set(7);
        main.switch(());
        assert_eq!((COLOUR.get(), SIZE.get()), (Some("red"), Some(7)));
    });
    g.switch(());
    assert_eq!(SIZE.get(), None);
    COLOUR.set("blue");
    g.switch(());
}

// test_contextvars.py: test_context_assignment_while_running
#[test]
fn the_context_of_the_running_greenlet_can_be_replaced() {
    COLOUR.set("red");
    let old = Greenlet::<()>::current().set_context(Context::default());
    assert_eq!(COLOUR.get(), None);
    Greenlet::<()>::current().set_context(old);
    assert_eq!(COLOUR.get(), Some("red"));
}

#[test]
fn what_a_key_was_set_to_before_is_dropped_unless_a_snapshot_has_it() {
    static SHARED: Key<Rc<str>> = Key::new();
    let values: Vec<Rc<str>> = ["first", "second", "third"].map(Rc::from).to_vec();
    let held = || values.iter().map(|value| Rc::strong_count(value) - 1).collect::<Vec<_>>();
    COLOUR.set("red");
    SHARED.set(values[0].clone());
    SIZE.set(1);
    SHARED.set(values[1].clone());
    assert_eq!(held(), [0, 1, 0]);
    let snapshot = Context::current();
    COLOUR.set("blue");
    SHARED.set(values[2].clone());
    assert_eq!(held(), [0, 1, 1]);
    assert_eq!((COLOUR.get(), SIZE.get(), SHARED.get().as_deref()), (Some("blue"), Some(1), Some("third")));
    let then = snapshot.run(|| (COLOUR.get(), SIZE.get(), SHARED.get()));
    assert_eq!(then, (Some("red"), Some(1), Some(values[1].clone())));
    drop((snapshot, then));
    assert_eq!(held(), [0, 0, 1]);
}

#[test]
fn a_value_in_the_context_of_one_that_ends_without_a_handle_may_switch_as_it_is_dropped() {
    type Values = [u64; 4];
    struct Switches(Rc<Cell<u64>>);
    impl Drop for Switches {
        fn drop(&mut self) {
            let [value, ..] = Greenlet::<Values>::new(|values| values.map(|value| value + 1)).switch([6; 4]);
            self.0.set(value);
        }
    }
    static KEY: Key<Rc<Switches>> = Key::new();
    let (main, brought) = (Greenlet::<Values>::current(), Rc::new(Cell::new(0)));
    let child = Greenlet::<Values>::new(|values| values);
    let g = Greenlet::<Values>::new({
        let (child, brought) = (child.downgrade(), brought.clone());
        move |values| {
            KEY.set(Rc::new(Switches(brought)));
            // The link of the child that started it is all that refers to it.
            child.upgrade().unwrap().set_parent(&main).unwrap();
            values.map(|value| value * 2)
        }
    });
    child.set_parent(&g).unwrap();
    drop(g);
    assert_eq!(child.switch([1; 4]), [2; 4]);
    assert_eq!(brought.get(), 7);
}

// test_weakref.py: test_dead_weakref, test_inactive_weakref
#[test]
fn a_weak_handle_finds_its_greenlet_until_the_last_handle_goes() {
    let unstarted = Greenlet::<()>::new(|()| ());
    let dead = Greenlet::<()>::new(|()| ());
    dead.switch(());
    for g in [unstarted, dead] {
        let weak = g.downgrade();
        assert_eq!(weak.upgrade().as_ref(), Some(&g));
        drop(g);
        assert!(weak.upgrade().is_none());
        // The block is used again, for another greenlet.
        let _other = Greenlet::<()>::new(|()| ());
        assert!(weak.upgrade().is_none());
    }
}

// test_weakref.py: test_dealloc_weakref
#[test]
fn a_weak_handle_is_dead_already_when_the_destructors_of_a_dropped_greenlet_run() {
    struct Look(Rc<RefCell<Option<WeakGreenlet>>>, Rc<Cell<bool>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.1.set(self.0.borrow().as_ref().unwrap().upgrade().is_none());
        }
    }
    for started in [false, true] {
        let (weak, was_dead) = (Rc::default(), Rc::new(Cell::new(false)));
        let look = Look(Rc::clone(&weak), was_dead.clone());
        let main = Greenlet::<()>::current();
        let g = Greenlet::new(move |()| {
            let _look = look;
            main.switch(());
        });
        if started {
            g.switch(());
        }
        *weak.borrow_mut() = Some(g.downgrade());
        drop(g);
        assert!(was_dead.get(), "started: {started}");
    }
}

#[test]
fn a_greenlet_that_takes_a_handle_to_itself_while_it_is_dropped_lives_on() {
    let saved: Rc<RefCell<Option<Greenlet<u32>>>> = Rc::default();
    let main = Greenlet::<u32>::current();
    let g = Greenlet::new({
        let saved = saved.clone();
        move |n: u32| {
            let raised = main.try_switch(n).unwrap_err();
            assert!(raised.is_exit());
            *saved.borrow_mut() = Some(Greenlet::current());
            main.switch(0) + 1
        }
    });
    g.switch(0);
    drop(g);
    let g = saved.take().unwrap();
    assert_eq!(g.downgrade().upgrade().as_ref(), Some(&g));
    assert_eq!(g.switch(41), 42);
}

#[test]
fn weak_handles_may_outlive_the_thread_of_their_greenlet() {
    thread_local! {
        static WEAK: RefCell<Option<WeakGreenlet>> = const { RefCell::new(None) };
    }
    std::thread::spawn(|| {
        WEAK.with(|weak| *weak.borrow_mut() = Some(Greenlet::<()>::new(|()| ()).downgrade()));
    })
    .join()
    .unwrap();
}

#[test]
fn a_clone_of_a_weak_handle_may_outlive_it_and_the_thread_of_their_greenlet() {
    thread_local! {
        static WEAK: RefCell<Option<WeakGreenlet>> = const { RefCell::new(None) };
    }
    std::thread::spawn(|| {
        WEAK.with_borrow_mut(|weak| {
            let first = Greenlet::<()>::new(|()| ()).downgrade();
            *weak = Some(first.clone());
        });
    })
    .join()
    .unwrap();
}
