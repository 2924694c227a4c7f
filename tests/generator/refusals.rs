//! What is refused leaves everything as it was.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread::panicking;

use greenlet::{Generator, Greenlet, KillError, Raised, Step, SwitchError, Yielder};

use crate::{OnDrop, Rude};

fn is_refused_while_unwinding<T>(tried: Result<T, Raised>) -> bool {
    tried.is_err_and(|raised| matches!(raised.refusal(), Some(SwitchError::Unwinding)))
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

#[test]
fn a_destructor_does_not_resume_it_while_a_panic_is_on_its_way() {
    let mut generator = Generator::new(|yielder, ()| (0..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!(generator.next(), Some(0));
    assert!(refused_in_a_destructor(|| generator.try_resume(())));
    assert_eq!(generator.next(), Some(1));
}

#[test]
fn a_destructor_may_resume_it_to_its_end_while_a_panic_is_on_its_way() {
    let mut half_way = Generator::new(|yielder: &Yielder<u32, ()>, n| n + yielder.yield_(()));
    assert_eq!(half_way.resume(1), Step::Yielded(()));
    let mut fresh = Generator::new(|_: &Yielder<u32, ()>, n| n);
    let mut came = Vec::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| came.extend([half_way.resume(2), fresh.resume(4)]));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on its way"));
    assert_eq!(came, [Step::Returned(3), Step::Returned(4)]);
    assert!(!panicking());
}

/// Whose panic it is, the body's or that of who resumes it, nobody can tell.
#[test]
fn a_body_does_not_yield_to_a_destructor_while_a_panic_is_on_its_way() {
    let mut generator = Generator::new(|yielder: &Yielder<u32, u32>, mut n| {
        loop {
            match yielder.try_yield(n) {
                Ok(next) => n = next,
                Err(mut refused) => return refused.take_value::<u32>().map(|value| (n, value)),
            }
        }
    });
    assert_eq!(generator.resume(1), Step::Yielded(1));
    let mut came = None;
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| came = Some(generator.resume(2)));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on its way"));
    assert_eq!(came, Some(Step::Returned(Some((2, 2)))));
    assert!(!panicking());
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
    let mut fresh = Generator::new(|yielder: &Yielder<(), ()>, ()| yielder.yield_(()));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = OnDrop(|| misuse(&unwinding, || _ = fresh.resume(())));
        std::panic::resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    drop(std::panic::take_hook());
}
