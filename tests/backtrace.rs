//! A backtrace goes from a greenlet into the stack of its parent, whoever that is at the time.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use greenlet::{Generator, Greenlet, trace};

/// The functions here called `..._frame` that a backtrace passes through, innermost first.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<String>>>);

impl Seen {
    fn look(&self) {
        let text = Backtrace::force_capture().to_string();
        let functions = text.lines().filter_map(|line| line.split_once(": backtrace::"));
        // A compiler may name the types that a function is for as well.
        let names = functions.map(|(_, name)| name.split_once("::<").map_or(name, |(name, _)| name));
        let frames = names.filter(|name| name.ends_with("_frame"));
        *self.0.borrow_mut() = frames.map(String::from).collect();
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Functions that call another one, to be told apart in a backtrace. They name themselves, so that no
/// two of them are compiled to the same code, which would become one.
macro_rules! frame {
    ($($name:ident)*) => { $(
        #[inline(never)]
        fn $name<T>(within: impl FnOnce() -> T) -> T {
            black_box(stringify!($name));
            black_box(within())
        }
    )* };
}

frame!(inner_frame middle_frame outer_frame foster_frame killer_frame);

/// A greenlet that waits in `foster_frame` for one switch from here.
fn suspended() -> Greenlet {
    let maker = Greenlet::current();
    let g = Greenlet::new(move |()| foster_frame(|| maker.switch(())));
    g.switch(());
    g
}

#[test]
fn it_goes_through_the_stacks_of_all_ancestors() {
    let seen = Seen::default();
    let look = seen.clone();
    outer_frame(|| {
        let middle = Greenlet::<()>::new(move |()| {
            middle_frame(|| Greenlet::<()>::new(move |()| inner_frame(|| look.look())).switch(()));
        });
        middle.switch(());
    });
    assert_eq!(seen.take(), ["inner_frame", "middle_frame", "outer_frame"]);
}

#[test]
fn it_is_the_same_after_a_switch_that_was_inlined_into_its_caller() {
    let (seen, main) = (Seen::default(), Greenlet::<()>::current());
    let look = seen.clone();
    let g = Greenlet::<()>::new(move |()| {
        inner_frame(|| {
            main.switch(());
            look.look();
        })
    });
    middle_frame(|| g.switch(()));
    outer_frame(|| g.switch(()));
    assert_eq!(seen.take(), ["inner_frame", "outer_frame"]);
}

#[test]
fn it_follows_the_parent_that_was_set_last() {
    let (seen, foster) = (Seen::default(), suspended());
    let look = seen.clone();
    let child = Greenlet::<()>::new(move |()| {
        inner_frame(|| {
            look.look();
            assert_eq!(look.take(), ["inner_frame", "outer_frame"]);
            Greenlet::<()>::current().set_parent(&foster).unwrap();
            look.look();
        });
    });
    outer_frame(|| child.switch(()));
    assert_eq!(seen.take(), ["inner_frame", "foster_frame", "outer_frame"]);
}

#[test]
fn it_goes_from_a_child_that_was_given_its_parent_before_it_started() {
    let (seen, foster) = (Seen::default(), suspended());
    let look = seen.clone();
    let child = Greenlet::<()>::builder().parent(&foster).build(move |()| inner_frame(|| look.look()));
    outer_frame(|| child.switch(()));
    assert_eq!(seen.take(), ["inner_frame", "foster_frame", "outer_frame"]);
}

#[test]
fn it_goes_from_a_parent_that_runs_on_the_stack_of_its_child_to_the_grandparent() {
    let (seen, grandparent) = (Seen::default(), suspended());
    let look = seen.clone();
    let parent = Greenlet::<()>::builder().parent(&grandparent).build(move |()| middle_frame(|| look.look()));
    let child = Greenlet::<()>::builder().parent(&parent).build(|()| inner_frame(|| ()));
    outer_frame(|| child.switch(()));
    assert_eq!(seen.take(), ["middle_frame", "foster_frame", "outer_frame"]);
}

#[test]
fn it_goes_from_one_who_is_killed_to_the_parent_and_not_to_the_killer() {
    let (seen, main, foster) = (Seen::default(), Greenlet::<()>::current(), suspended());
    let look = seen.clone();
    let victim = Greenlet::<()>::builder().parent(&foster).build(move |()| {
        inner_frame(|| {
            assert!(main.try_switch(()).unwrap_err().is_exit());
            look.look();
        })
    });
    victim.switch(());
    let killer = Greenlet::<()>::new(move |()| killer_frame(|| victim.kill().unwrap()));
    outer_frame(|| killer.switch(()));
    assert_eq!(seen.take(), ["inner_frame", "foster_frame", "outer_frame"]);
}

#[test]
fn it_goes_from_the_body_of_a_generator_to_whoever_has_resumed_it() {
    let seen = Seen::default();
    let look = seen.clone();
    let mut generator = Generator::new(move |yielder, ()| {
        inner_frame(|| look.look());
        yielder.yield_(look.take());
        middle_frame(|| inner_frame(|| look.look()));
        yielder.yield_(look.take());
    });
    let mut next = move || outer_frame(|| generator.next().unwrap());
    assert_eq!(next(), ["inner_frame", "outer_frame"]);
    let g = Greenlet::<()>::new(move |()| {
        assert_eq!(
            killer_frame(&mut next),
            ["inner_frame", "middle_frame", "outer_frame", "killer_frame", "foster_frame"]
        );
    });
    foster_frame(|| g.switch(()));
}

#[test]
fn it_goes_from_the_body_of_a_generator_to_whoever_unwinds_it() {
    let seen = Seen::default();
    let look = seen.clone();
    let mut generator = Generator::new(move |yielder, ()| {
        inner_frame(|| {
            assert!(yielder.try_yield(()).unwrap_err().is_generator_exit());
            look.look();
        })
    });
    middle_frame(|| generator.next().unwrap());
    outer_frame(|| generator.close().unwrap());
    assert_eq!(seen.take(), ["inner_frame", "outer_frame"]);
}

#[test]
fn it_goes_from_a_trace_hook_to_where_control_arrives() {
    let (seen, main) = (Seen::default(), Greenlet::<()>::current());
    let g = Greenlet::<()>::new(move |()| inner_frame(|| main.switch(())));
    let look = seen.clone();
    trace::set(move |_| look.look());
    middle_frame(|| g.switch(()));
    assert_eq!(seen.take(), ["middle_frame"], "back from the greenlet");
    trace::clear();
    let look = seen.clone();
    trace::set(move |event| {
        if !event.target().is_root() {
            look.look();
        }
    });
    outer_frame(|| g.switch(()));
    assert_eq!(seen.take(), ["inner_frame", "outer_frame"], "to the greenlet");
    let fresh = Greenlet::<()>::new(|()| inner_frame(|| ()));
    outer_frame(|| fresh.switch(()));
    assert_eq!(seen.take(), ["outer_frame"], "to a greenlet that has not begun to run");
    trace::clear();
}
