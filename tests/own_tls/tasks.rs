//! Tasks with storage of their own.

use std::cell::RefCell;
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use greenlet::{Greenlet, Task, Timeout, hub, join_all, sleep, spawn, with_timeout, yield_now};

use crate::{FIRST, NUMBER, Noted, Notes, own};

fn task<T: 'static>(body: impl FnOnce() -> T + 'static) -> greenlet::GreenThread<T> {
    own::<()>().spawn(body)
}

#[test]
fn tasks_keep_what_is_theirs_while_others_run() {
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let body = move || {
                for round in 0..10 {
                    if n % 2 == 0 {
                        assert_eq!(NUMBER.get(), 1 + round);
                        NUMBER.set(2 + round);
                    }
                    yield_now();
                }
                thread::current().id()
            };
            if n % 2 == 0 { task(body) } else { spawn(body) }
        })
        .collect();
    let ids: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(ids.len(), 11, "ten of their own, one shared");
}

#[test]
fn a_hub_that_one_of_them_makes_is_the_threads() {
    thread::spawn(|| {
        let g = own().build(|()| {
            assert_eq!(task(|| 3).join().unwrap(), 3);
            assert_eq!(spawn(|| 4).join().unwrap(), 4);
            sleep(Duration::from_millis(1));
        });
        g.switch(());
        assert!(g.is_dead());
        assert_eq!(task(|| 5).join().unwrap(), 5);
        sleep(Duration::from_millis(1));
        assert!(hub::use_backend(hub::Backend::Poll).is_err(), "there is a hub");
    })
    .join()
    .unwrap();
}

#[test]
fn tasks_are_spawned_and_numbered_from_any_storage() {
    let outer = task(|| {
        let inner: Vec<_> =
            (0..10).map(|n| if n % 2 == 0 { task(yield_now) } else { spawn(yield_now) }).collect();
        let numbers: HashSet<_> = inner.iter().map(|task| task.minimal_ident()).collect();
        assert_eq!(numbers.len(), 10);
        assert!(!numbers.contains(&Task::current().unwrap().minimal_ident()));
        join_all(&inner, None);
    });
    outer.join().unwrap();
}

#[test]
fn kills_and_timeouts_reach_them() {
    let notes = Notes::default();
    let log = notes.clone();
    let sleeper = task(move || {
        FIRST.set(Some(Noted(log, "first")));
        sleep(Duration::from_secs(1000));
    });
    yield_now();
    sleeper.kill().unwrap();
    assert!(sleeper.wait(None));
    assert_eq!(*notes.borrow(), ["first"]);
    let timed = task(|| {
        let outer = Timeout::new(Duration::from_secs(1000));
        assert!(with_timeout(Duration::from_millis(1), || sleep(Duration::from_secs(1000))).is_err());
        drop(outer);
        NUMBER.get()
    });
    assert_eq!(timed.join().unwrap(), 1);
}

#[test]
fn a_task_has_destroyed_its_thread_locals_when_its_joiner_goes_on() {
    let notes = Notes::default();
    let log = notes.clone();
    task(move || FIRST.set(Some(Noted(log, "first")))).join().unwrap();
    assert_eq!(*notes.borrow(), ["first"]);
}

#[test]
fn a_destructor_of_a_thread_local_may_kill_who_would_be_next() {
    struct Kills(Greenlet);
    impl Drop for Kills {
        fn drop(&mut self) {
            self.0.kill().unwrap();
        }
    }
    thread_local!(static KILLS: RefCell<Option<Kills>> = const { RefCell::new(None) });
    let main = Greenlet::<()>::current();
    let yielding = Greenlet::<()>::new(|()| {
        loop {
            yield_now();
        }
    });
    let victim = yielding.clone();
    // When it ends, the victim is next in the queue, and then who comes back here.
    let killer = task(move || {
        KILLS.set(Some(Kills(victim)));
        drop(spawn(move || main.switch(())));
    });
    yielding.switch(());
    assert!(yielding.is_dead() && killer.is_finished());
}

#[test]
fn threads_and_their_hubs_come_and_go() {
    for _ in 0..10 {
        thread::spawn(|| {
            let waiting = task(|| sleep(Duration::from_secs(1000)));
            yield_now();
            std::mem::forget(waiting);
        })
        .join()
        .unwrap();
    }
}
