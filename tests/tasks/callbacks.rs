//! Greenlets that are left by hand in a callback of the hub: there somebody else's payload is dropped, and its
//! destructor goes away.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};

use greenlet::net::UnixStream;
use greenlet::sync::Event;
use greenlet::{GreenThread, Greenlet, KillError, State, Timeout, sleep, spawn, threads, yield_now};

use crate::{FOREVER, MS, OnDrop, on_a_thread, reports};

/// Goes to the root by hand as it is dropped.
struct Leave<T>(T);

impl<T> Drop for Leave<T> {
    fn drop(&mut self) {
        let _ = Greenlet::<()>::root().try_switch(());
    }
}

/// Has whoever looks for the next one, when those before have had their turn, go to the root by hand in a callback.
fn leave(with: impl Send + 'static) {
    let unrun = spawn(|| ());
    unrun.kill_with(Leave(with)).unwrap();
}

/// Lets others run while the root waits for something else than the hub.
fn wait_by_hand() {
    Greenlet::<()>::new(|()| Event::new().wait()).switch(());
}

/// Where a greenlet's handle is once it runs.
type Handle = Rc<Cell<Option<Greenlet<()>>>>;

fn spawn_with_handle(body: impl FnOnce() + 'static) -> (GreenThread<()>, Handle) {
    let handle = Handle::default();
    let task = spawn({
        let handle = handle.clone();
        move || {
            handle.set(Some(Greenlet::current()));
            body()
        }
    });
    (task, handle)
}

fn is_unwound_when_its_thread_ends(wait: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        drop(spawn(move || {
            let _tell = OnDrop(move || sender.send(()).unwrap());
            wait();
        }));
        leave(());
        wait_by_hand();
    });
    assert_eq!(receiver.try_recv(), Ok(()));
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_is_unwound_when_its_thread_ends_whatever_it_waits_for() {
    static NEVER: threads::Event = threads::Event::new();
    is_unwound_when_its_thread_ends(|| Event::new().wait());
    is_unwound_when_its_thread_ends(|| sleep(FOREVER));
    is_unwound_when_its_thread_ends(|| NEVER.wait());
    is_unwound_when_its_thread_ends(|| {
        let (mut mine, _its) = UnixStream::pair().unwrap();
        let _ = mine.read(&mut [0]);
    });
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_is_unwound_by_a_kill_by_hand() {
    let (task, handle) = spawn_with_handle(|| Event::new().wait());
    leave(());
    wait_by_hand();
    let victim = handle.take().unwrap();
    victim.kill().unwrap();
    assert_eq!(victim.state(), State::Dead);
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_is_unwound_by_a_second_kill_if_the_first_has_made_it_wait_there() {
    let (task, handle) = spawn_with_handle(|| {
        let _ = catch_unwind(AssertUnwindSafe(|| Event::new().wait()));
        Event::new().wait()
    });
    yield_now();
    leave(());
    let victim = handle.take().unwrap();
    assert!(matches!(victim.kill(), Err(KillError::Refused)), "it waits again, and is left there");
    victim.kill().unwrap();
    assert!(task.is_finished());
}

#[test]
fn whose_turn_comes_while_it_is_left_in_a_callback_of_the_hub_has_it_when_it_is_back() {
    let (first, second) = (Rc::new(Event::new()), Rc::new(Event::new()));
    let (task, left) = spawn_with_handle({
        let (first, second) = (first.clone(), second.clone());
        move || {
            first.wait();
            second.wait();
        }
    });
    yield_now();
    let (_, other) = spawn_with_handle(|| Greenlet::<()>::root().switch(()));
    wait_by_hand();
    first.set();
    leave(());
    wait_by_hand();
    second.set();
    // The other one ends, and looks for who is next.
    let _ = other.take().unwrap().try_switch(());
    let _ = left.take().unwrap().try_switch(());
    task.join().unwrap();
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_as_it_died_is_ended_by_a_kill_by_hand() {
    reports();
    let (event, child) = (Rc::new(Event::new()), Rc::new(RefCell::new(None)));
    let parent = spawn({
        let (event, child) = (event.clone(), child.clone());
        move || {
            child.replace(Some(Greenlet::<()>::new(|()| ())));
            event.wait()
        }
    });
    yield_now();
    leave(());
    // Its parent waits for something else, so the hub is asked who is next.
    let child = child.take().unwrap();
    child.switch(());
    assert_eq!(child.state(), State::Suspended);
    child.kill().unwrap();
    assert_eq!(child.state(), State::Dead);
    event.set();
    parent.join().unwrap();
}

#[test]
fn who_was_left_in_a_callback_of_the_hub_as_its_task_ended_ends_before_the_hub() {
    struct Note(&'static str, Sender<&'static str>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.send(self.0).unwrap();
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
        leave(Note("what left", sender));
        Greenlet::<()>::new(|()| yield_now()).switch(());
    });
    assert_eq!(receiver.iter().collect::<Vec<_>>(), ["what left", "the thread's data"]);
}

#[test]
fn who_comes_back_from_a_callback_of_the_hub_in_somebodys_panic_takes_nobodys_turn() {
    takes_nobodys_turn(|| {
        leave(());
        let next = spawn(|| 1);
        let waits = Greenlet::<()>::new(|()| yield_now());
        waits.switch(());
        (waits, next)
    });
    takes_nobodys_turn(|| {
        // In a timer's callback.
        drop(spawn(|| {
            let timeout = Timeout::raising(MS, || Leave(()));
            timeout.start().unwrap();
            std::mem::forget(timeout);
        }));
        yield_now();
        let waits = Greenlet::<()>::new(|()| sleep(FOREVER));
        waits.switch(());
        (waits, spawn(|| 1))
    });
}

fn takes_nobodys_turn(leave: impl FnOnce() -> (Greenlet<()>, GreenThread<u32>)) {
    let (waits, next) = leave();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let waits = waits;
        let _on_drop = OnDrop(|| drop(waits.kill()));
        resume_unwind(Box::new("on its way"));
    }));
    assert!(unwound.is_err());
    assert_eq!(next.join().unwrap(), 1);
}
