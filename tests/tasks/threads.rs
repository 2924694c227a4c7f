//! Other threads, and the end of a thread.

use std::cell::RefCell;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::panicking;

use greenlet::hub::HubHandle;
use greenlet::net::UnixStream;
use greenlet::sync::{Event, Mutex};
use greenlet::{Greenlet, Timeout, sleep, spawn, spawn_later, yield_now};

use crate::{FOREVER, MS, OnDrop, reports};

/// Runs `f` on a thread of its own, to its end, thread-locals included.
fn on_a_thread(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(f).join().unwrap();
}

/// E17.
#[test]
fn other_threads_spawn_tasks_through_a_handle() {
    thread_local! {
        static DONE: Rc<Event> = Rc::default();
    }
    let handle = HubHandle::current();
    let spawner = std::thread::spawn(move || {
        handle
            .spawn(|| {
                sleep(MS);
                DONE.with(|done| done.set());
            })
            .unwrap();
    });
    // The handle keeps the hub waiting; once that is gone, its task does.
    DONE.with(Rc::clone).wait();
    spawner.join().unwrap();
}

#[test]
fn a_handle_to_an_ended_hub_refuses() {
    let handle = std::thread::spawn(HubHandle::current).join().unwrap();
    assert!(handle.spawn(|| ()).is_err());
}

#[test]
fn parked_tasks_are_unwound_when_their_thread_ends() {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        struct Tell(mpsc::Sender<u32>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.send(1).unwrap();
            }
        }
        for n in 0..10 {
            let tell = Tell(sender.clone());
            // Half of them wait, half never get to run.
            drop(spawn(move || {
                let _tell = tell;
                sleep(FOREVER);
            }));
            if n == 4 {
                yield_now();
            }
        }
    })
    .join()
    .unwrap();
    assert_eq!(receiver.iter().sum::<u32>(), 10);
}

#[test]
fn a_task_that_catches_its_kill_and_waits_again_does_not_keep_its_thread_alive() {
    reports();
    on_a_thread(|| {
        drop(spawn(|| {
            loop {
                let _ = catch_unwind(AssertUnwindSafe(|| Event::new().wait()));
            }
        }));
        yield_now();
    });
}

#[test]
fn who_waits_on_its_way_out_ends_before_its_hub_whoever_kills_it() {
    /// Tells, as it goes, whether the first one is dead by then.
    struct Tell([Greenlet<()>; 2], mpsc::Sender<bool>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.1.send(self.0[0].is_dead()).unwrap();
        }
    }
    thread_local! {
        static TELL: RefCell<Option<Tell>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        let root = Greenlet::<()>::root();
        let victim = Greenlet::new(move |()| {
            let _ = catch_unwind(AssertUnwindSafe(|| root.switch(())));
            sleep(FOREVER);
        });
        let also_victim = victim.clone();
        // The hub knows nothing of this one.
        let killer = Greenlet::new(move |()| _ = also_victim.kill());
        // Before there is a hub, so that this goes after it.
        TELL.set(Some(Tell([victim.clone(), killer.clone()], sender)));
        victim.switch(());
        drop(spawn(move || killer.switch(())));
        yield_now();
    });
    assert!(receiver.recv().unwrap());
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_as_its_task_ended_ends_before_the_hub() {
    struct Note(&'static str, mpsc::Sender<&'static str>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.send(self.0).unwrap();
        }
    }
    /// Goes away by hand as it is dropped.
    struct Leave(#[expect(dead_code)] Note);
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = Greenlet::<()>::root().try_switch(());
        }
    }
    thread_local! {
        static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        Greenlet::<()>::root();
        // Before there is a hub, so that this goes after it.
        NOTE.set(Some(Note("the thread's data", sender.clone())));
        // Somebody who never gets what he waits for, and is unwound after the first task, whose block is kept for it.
        let block = Greenlet::<()>::new(|()| ());
        let (mut mine, its) = UnixStream::pair().unwrap();
        drop(spawn(move || {
            let _its = its;
            mine.read(&mut [0])
        }));
        yield_now();
        drop(block);
        drop(spawn(|| ()));
        // When the first task has ended, the hub lets go of this one, which never ran.
        let unrun = spawn(|| ());
        unrun.kill_with(Leave(Note("what left", sender))).unwrap();
        drop(unrun);
        Greenlet::<()>::new(|()| yield_now()).switch(());
    });
    assert_eq!(receiver.iter().collect::<Vec<_>>(), ["what left", "the thread's data"]);
}

/// Panics when it is dropped, unless somebody does already.
struct Bomb(#[expect(dead_code)] mpsc::Sender<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !panicking() {
            resume_unwind(Box::new("in a destructor"));
        }
    }
}

thread_local! {
    static TIMEOUTS: RefCell<Vec<Timeout>> = const { RefCell::new(Vec::new()) };
}

/// Sets a timer that owns something, and that nobody cancels as long as there is a hub.
fn set_timer(owned: Bomb) {
    let owned = RefCell::new(Some(owned));
    let timeout = Timeout::raising(FOREVER, move || owned.take());
    timeout.start().unwrap();
    TIMEOUTS.with_borrow_mut(|timeouts| timeouts.push(timeout));
}

/// Does so when it is dropped.
struct SetTimer(Option<Bomb>);

impl Drop for SetTimer {
    fn drop(&mut self) {
        set_timer(self.0.take().unwrap());
    }
}

#[test]
fn what_timers_and_posts_own_is_dropped_when_the_thread_ends_whatever_its_destructors_do() {
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        reports();
        // Before there is a hub, so that these go after it.
        TIMEOUTS.with(|_| ());
        // Dropped when the hub has forgotten the other timers.
        let late = SetTimer(Some(Bomb(sender.clone())));
        drop(spawn(move || {
            let _late = late;
            sleep(FOREVER)
        }));
        yield_now();
        for _ in 0..2 {
            set_timer(Bomb(sender.clone()));
            let posted = Bomb(sender.clone());
            HubHandle::current().spawn(move || drop(posted)).unwrap();
        }
    });
    assert!(receiver.recv().is_err(), "all were dropped");
}

#[test]
fn who_comes_back_from_a_callback_of_the_hub_in_somebodys_panic_takes_nobodys_turn() {
    /// Goes away by hand as it is dropped.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = Greenlet::<()>::root().try_switch(());
        }
    }
    let unrun = spawn(|| ());
    unrun.kill_with(Leave).unwrap();
    drop(unrun);
    let next = spawn(|| 1);
    let waits = Greenlet::<()>::new(|()| yield_now());
    waits.switch(());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let waits = waits;
        let _on_drop = OnDrop(|| drop(waits.kill()));
        resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    assert_eq!(next.join().unwrap(), 1);
}

#[test]
fn destructors_that_spawn_while_the_thread_ends_get_nothing_and_leak_nothing() {
    struct SpawnOnDrop(mpsc::Sender<()>);
    impl Drop for SpawnOnDrop {
        fn drop(&mut self) {
            let sender = self.0.clone();
            assert!(spawn(move || drop(sender)).join().unwrap_err().is_not_started());
        }
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        let (parked, unstarted) = (SpawnOnDrop(sender.clone()), SpawnOnDrop(sender));
        drop(spawn(move || {
            let _held = parked;
            Event::new().wait();
        }));
        yield_now();
        drop(spawn(move || drop(unstarted)));
    });
    assert!(receiver.recv().is_err(), "every sender is gone");
}

#[test]
fn destructors_that_run_as_the_thread_ends_use_what_is_free_as_often_as_they_like() {
    struct CountOnDrop(Mutex<u32>, mpsc::Sender<u32>);
    impl Drop for CountOnDrop {
        fn drop(&mut self) {
            (0..1000).for_each(|_| *self.0.lock() += 1);
            self.1.send(*self.0.lock()).unwrap();
        }
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        let unstarted = CountOnDrop(Mutex::new(0), sender);
        drop(spawn(move || drop(unstarted)));
    });
    assert_eq!(receiver.recv(), Ok(1000));
}

#[test]
fn a_task_that_was_to_start_later_is_dropped_when_its_thread_ends() {
    let (sender, receiver) = mpsc::channel::<()>();
    on_a_thread(move || {
        drop(spawn(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| Event::new().wait()));
        }));
        drop(spawn_later(5 * MS, move || drop(sender)));
        yield_now();
    });
    assert!(receiver.recv().is_err());
}
