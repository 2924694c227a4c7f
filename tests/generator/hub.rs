//! Bodies that wait.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use greenlet::{Generator, Greenlet, TimeoutError, Yielder, join_all, sleep, spawn, with_timeout, yield_now};

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
    // The greenlets that resume it end, with what the hub knows of them, and others take their places.
    let resume = move || {
        let (generator, next) = (generator.clone(), Rc::new(Cell::new(None)));
        let resumes = Greenlet::new({
            let next = next.clone();
            move |()| next.set(generator.borrow_mut().next())
        });
        resumes.switch(());
        drop(resumes);
        let next = next.take();
        let busy = (0..20_u32).map(|n| spawn(move || [n; 300][n as usize]));
        assert_eq!(busy.map(|task| task.join().unwrap()).sum::<u32>(), 190);
        next
    };
    yield_now(); // from here on there is a hub
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
