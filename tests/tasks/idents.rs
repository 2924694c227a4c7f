//! Names, numbers, who spawned whom, and data of one's own.

use std::cell::Cell;
use std::rc::Rc;

use greenlet::sync::Event;
use greenlet::{Greenlet, Task, join_all, sleep, spawn, yield_now};

use crate::{FOREVER, Note, log};

/// gevent 80.
#[test]
fn minimal_idents_count_from_zero_and_are_used_again() {
    // On a thread of its own, where nobody else asks.
    std::thread::spawn(|| {
        let tasks: Vec<_> = (0..3).map(|_| spawn(|| sleep(FOREVER))).collect();
        yield_now();
        let idents: Vec<_> = tasks.iter().map(|task| task.minimal_ident()).collect();
        assert_eq!(idents, [Some(0), Some(1), Some(2)]);
        assert_eq!(tasks[1].minimal_ident(), Some(1), "it stays the same");
        for n in [1, 0] {
            tasks[n].kill().unwrap();
            assert!(tasks[n].wait(None));
            assert_eq!(tasks[n].minimal_ident(), None, "the dead have none");
        }
        let others: Vec<_> = (0..3).map(|_| spawn(|| sleep(FOREVER))).collect();
        let idents: Vec<_> = others.iter().map(|task| task.minimal_ident()).collect();
        assert_eq!(idents, [Some(0), Some(1), Some(3)], "the smallest first");
    })
    .join()
    .unwrap();
}

#[test]
fn ids_are_those_of_the_greenlets_and_survive_them() {
    let task = Greenlet::builder().name("short").spawn(|| Greenlet::<()>::current().id());
    let watcher = task.clone();
    assert_eq!(task.join().unwrap(), watcher.id());
    assert_eq!(watcher.name(), Some("short"), "its greenlet is long gone");
    assert_ne!(spawn(|| ()).id(), watcher.id());
    assert_eq!(spawn(|| ()).name(), None);
}

#[test]
fn a_task_knows_itself_and_a_greenlet_made_by_hand_is_no_task() {
    assert!(Task::current().is_none());
    let task = spawn(|| {
        let by_hand = Greenlet::<bool>::new(|_| Task::current().is_some());
        (Task::current().unwrap(), by_hand.switch(false))
    });
    let handle = task.clone();
    let (own, by_hand) = task.join().unwrap();
    assert_eq!(own, handle);
    assert!(!by_hand);
    assert_eq!(own, own.clone());
    assert_ne!(own, *spawn(|| ()));
}

/// gevent 1.2, `spawning_greenlet`.
#[test]
fn a_task_knows_who_spawned_it() {
    let parent = spawn(|| spawn(|| Task::current().unwrap().spawner()).join().unwrap());
    assert_eq!(parent.spawner(), Greenlet::<()>::root().id());
    assert_eq!(parent.id(), parent.join().unwrap());
}

/// gevent 81: what `spawn_tree_locals` are for, a context is.
#[test]
fn what_the_root_of_a_tree_of_tasks_sets_is_seen_by_all_below_and_by_no_other_tree() {
    static TREE: greenlet::context::Key<Rc<Cell<u32>>> = greenlet::context::Key::new();
    let tree = |n: u32| {
        spawn(move || {
            TREE.set(Rc::new(Cell::new(n)));
            let add = || TREE.get().map(|sum| sum.set(sum.get() + 1));
            let child = spawn(move || spawn(add).join().unwrap());
            child.join().unwrap().unwrap();
            TREE.get().map(|sum| sum.get())
        })
    };
    let trees = [tree(10), tree(20)];
    join_all(&trees, None);
    assert_eq!(trees.map(|tree| tree.join().unwrap()), [Some(11), Some(21)]);
    assert!(TREE.get().is_none());
}

/// gevent 79.
#[test]
fn local_data_is_dropped_at_the_end_of_the_task_though_its_handle_is_kept() {
    greenlet::local! {
        static DATA: Cell<Option<Box<dyn std::any::Any>>> = Cell::new(None);
    }
    let (entries, note) = log();
    let task = spawn(move || DATA.with(|data| data.set(Some(Box::new(Note(note, "dropped"))))));
    assert!(task.wait(None));
    assert_eq!(*entries.borrow(), ["dropped"]);
    drop(task);
}

/// The hub may have nothing to do for long after the end of a task.
#[test]
fn local_data_is_dropped_before_the_hub_waits_for_anything() {
    thread_local! {
        static WOKEN: Rc<Event> = Rc::default();
    }
    greenlet::local! {
        static DATA: Cell<Option<std::sync::mpsc::Sender<()>>> = Cell::new(None);
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    drop(spawn(move || DATA.with(|data| data.set(Some(sender)))));
    let handle = greenlet::hub::HubHandle::current();
    let waker = std::thread::spawn(move || {
        // The hub sleeps until this returns, which it does when the data is gone.
        receiver.recv().unwrap_err();
        handle.spawn(|| WOKEN.with(|woken| woken.set())).unwrap();
    });
    WOKEN.with(Rc::clone).wait();
    waker.join().unwrap();
}

/// A destructor of local data may wait like anybody else.
#[test]
fn local_data_whose_destructor_waits_ends_like_other_data() {
    struct Waits<F: Fn(&str)>(F);
    impl<F: Fn(&str)> Drop for Waits<F> {
        fn drop(&mut self) {
            yield_now();
            (self.0)("waited");
        }
    }
    greenlet::local! {
        static DATA: Cell<Option<Box<dyn std::any::Any>>> = Cell::new(None);
    }
    let (entries, note) = log();
    let task = spawn(move || DATA.with(|data| data.set(Some(Box::new(Waits(note))))));
    assert!(task.wait(None));
    (0..3).for_each(|_| yield_now());
    assert_eq!(*entries.borrow(), ["waited"]);
    assert_eq!(spawn(|| 1).join().unwrap(), 1);
}

/// gevent 1.12, `GreenletTree`.
#[test]
fn the_tree_of_tasks_shows_who_spawned_whom_and_what_they_wait_for() {
    std::thread::spawn(|| {
        let options = || Greenlet::builder();
        let gone = spawn(move || drop(options().name("orphan").spawn(|| sleep(FOREVER))));
        let parent = options().name("parent").spawn(move || {
            let child = options().name("child").spawn(|| Event::new().wait());
            drop(options().name("second").spawn_later(FOREVER, || ()));
            child.join()
        });
        (0..3).for_each(|_| yield_now());
        let n = gone.id();
        let expected = format!(
            "task {} \"parent\": the end of a task\n  task {} \"child\": an event\n  \
             task {} \"second\": not started\ntask {} \"orphan\": sleep\n",
            parent.id(),
            n + 3,
            n + 4,
            n + 2,
        );
        assert_eq!(greenlet::task_tree(), expected);
        assert_eq!(Task::all().len(), 4);
        assert_eq!(parent.waits_for(), Some("the end of a task"));
        assert_eq!(gone.waits_for(), None);
    })
    .join()
    .unwrap();
}

/// A chain of spawners is no deeper for the tree than a list.
#[test]
fn the_tree_of_a_long_chain_of_spawners_takes_no_deep_stack() {
    fn descend(depth: u32) {
        if depth > 0 {
            drop(spawn(move || descend(depth - 1)));
        }
        sleep(FOREVER);
    }
    std::thread::spawn(|| {
        drop(spawn(|| descend(2000)));
        while Task::all().len() <= 2000 || Task::all().iter().any(|task| task.waits_for().is_none()) {
            yield_now();
        }
        assert_eq!(greenlet::task_tree().lines().count(), 2001);
    })
    .join()
    .unwrap();
}
