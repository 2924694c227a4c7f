//! Panics, which std counts in the storage.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread::panicking;

use greenlet::{Greenlet, SwitchError};

use crate::own;

#[test]
fn panics_are_caught_where_they_belong() {
    let main = Greenlet::<()>::current();
    let catching = |text: &'static str| {
        let main = main.clone();
        own().build(move |()| {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                main.switch(());
                std::panic::resume_unwind(Box::new(text));
            }));
            assert!(!panicking());
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&text));
            main.switch(());
        })
    };
    let greenlets = [catching("one"), catching("two")];
    for _ in 0..3 {
        greenlets.iter().for_each(|g| g.switch(()));
        assert!(!panicking());
    }
    assert!(greenlets.iter().all(Greenlet::is_dead));
}

#[test]
fn a_panic_that_ends_one_is_raised_in_its_parent_and_counted_nowhere_else() {
    let outer = own().build(move |()| {
        let inner = own().build(|()| std::panic::resume_unwind(Box::new("ended")));
        let raised = inner.try_switch(()).unwrap_err();
        assert_eq!(raised.into_payload().downcast_ref(), Some(&"ended"));
        assert!(!panicking());
    });
    outer.switch(());
    assert!(!panicking());
}

/// Calls back when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_switch_in_a_destructor_is_refused_while_a_panic_is_on_its_way() {
    let main = Greenlet::<()>::current();
    let refused = Rc::new(Cell::new(false));
    let seen = refused.clone();
    let g = own().build(move |()| {
        let other = main.clone();
        let _on_drop = OnDrop(move || {
            assert!(panicking());
            let error = other.try_switch(()).unwrap_err();
            seen.set(matches!(error.refusal(), Some(SwitchError::Unwinding)));
        });
        std::panic::resume_unwind(Box::new("unwinding"));
    });
    assert!(g.try_switch(()).is_err());
    assert!(refused.get());
}

#[test]
fn who_is_unwound_for_a_panic_of_others_goes_back_there_though_it_sees_none() {
    let (main, refused) = (Greenlet::<()>::current(), Rc::new(Cell::new(false)));
    let victim = {
        let (main, refused) = (main.clone(), refused.clone());
        own().build(move |()| {
            let exit = catch_unwind(AssertUnwindSafe(|| main.switch(()))).unwrap_err();
            assert!(!panicking(), "its own storage knows of no panic");
            let error = main.try_switch(()).unwrap_err();
            refused.set(matches!(error.refusal(), Some(SwitchError::Unwinding)));
            std::panic::resume_unwind(exit);
        })
    };
    victim.switch(());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _victim = victim;
        std::panic::resume_unwind(Box::new("unwinding"));
    }));
    assert!(caught.is_err() && refused.get() && !panicking());
    assert!(Greenlet::<()>::new(|()| ()).try_switch(()).is_ok(), "switches go on");
}
