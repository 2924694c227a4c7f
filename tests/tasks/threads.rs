//! Other threads, and the end of a thread.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::panicking;

use greenlet::hub::{HubHandle, Parker};
use greenlet::net::UnixStream;
use greenlet::queue::{Channel, Queue};
use greenlet::sync::{Event, Mutex, RwLock, Semaphore};
use greenlet::{Greenlet, Timeout, sleep, spawn, spawn_later, threads, yield_now};

use crate::{FOREVER, MS, OnDrop, on_a_thread, reports};

/// What a thread-local does as it goes.
type LastCall = RefCell<Option<OnDrop<Box<dyn FnMut()>>>>;

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

/// Used where the thread's greenlets end, when the hub has. Made before there is a hub, so that it goes after both.
struct Last {
    permits: Semaphore,
    lock: RwLock<()>,
    parker: Parker,
    items: Queue<u8>,
    places: Queue<u8>,
    channel: Channel<u8>,
    kept: RefCell<Option<Greenlet<()>>>,
}

impl Last {
    fn new() -> Self {
        Self {
            permits: Semaphore::new(0),
            lock: RwLock::new(()),
            parker: Parker::new(),
            items: Queue::bounded(1),
            places: Queue::bounded(1),
            channel: Channel::new(),
            kept: RefCell::new(None),
        }
    }

    /// Each of those has somebody in line who was abandoned there.
    fn give_back(&self) {
        self.permits.release(2);
        assert_eq!(self.permits.available(), 2);
        self.parker.unparker().unpark();
        self.items.try_put(1).unwrap();
        assert_eq!(self.items.try_get(), Ok(1));
        assert_eq!(self.places.try_get(), Ok(2));
        self.places.try_put(3).unwrap();
        assert!(self.channel.try_get().is_err());
    }
}

#[test]
fn what_is_given_back_when_the_hub_has_ended_goes_to_nobody_who_was_abandoned_in_line() {
    thread_local! {
        static LAST: Last = Last::new();
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        reports();
        LAST.with(|last| last.places.try_put(2).unwrap());
        // The hub knows nothing of this one.
        let holder = Greenlet::<()>::new(move |()| {
            LAST.with(|last| {
                let _tell = OnDrop(|| sender.send(()).unwrap());
                let _give_back = OnDrop(|| last.give_back());
                let _writes = last.lock.try_write().unwrap();
                Greenlet::<()>::root().switch(())
            })
        });
        holder.switch(());
        LAST.with(|last| last.kept.replace(Some(holder)));
        let waits: [fn(&Last); 6] = [
            |last| drop(last.permits.acquire()),
            |last| drop(last.lock.read()),
            |last| last.parker.park(),
            |last| _ = last.items.get(),
            |last| _ = last.places.put(4),
            |last| _ = last.channel.put(5),
        ];
        for wait in waits {
            drop(spawn(move || {
                loop {
                    let _ = catch_unwind(AssertUnwindSafe(|| LAST.with(wait)));
                }
            }));
        }
        yield_now();
    });
    assert_eq!(receiver.try_recv(), Ok(()));
}

#[test]
fn a_destructor_that_runs_when_the_hub_has_ended_reads_and_writes_what_need_not_be_waited_for() {
    thread_local! {
        static LAST: LastCall = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        // Before there is a hub, so that this goes after it.
        LAST.set(None);
        yield_now();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let parker = Parker::new();
        parker.unparker().unpark();
        let use_them = move || {
            near.write_all(b"x").unwrap();
            far.read_exact(&mut [0]).unwrap();
            assert!(far.read(&mut [0]).unwrap_err().to_string().contains("has ended"));
            let error = greenlet::os::fd::wait_readable(&far, None).unwrap_err();
            assert!(error.to_string().contains("has ended"));
            parker.park();
            sender.send(()).unwrap();
        };
        LAST.set(Some(OnDrop(Box::new(use_them))));
    });
    assert_eq!(receiver.try_recv(), Ok(()));
}

#[test]
fn a_destructor_that_runs_as_the_hub_ends_gets_an_error_where_it_would_have_to_wait() {
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        let (mut near, far) = UnixStream::pair().unwrap();
        let read = OnDrop(move || sender.send(near.read(&mut [0]).unwrap_err().to_string()).unwrap());
        drop(spawn(move || drop((read, far))));
    });
    assert!(receiver.try_recv().unwrap().contains("is ending"));
}

#[cfg(target_os = "linux")]
#[test]
fn who_waits_quietly_as_its_thread_ends_waits_to_the_end_whoevers_timer_it_fires() {
    use std::time::Instant;

    use greenlet::hub::embed::{Ended, sleep_until};

    let wait_for_the_end = || drop(catch_unwind(AssertUnwindSafe(|| Event::new().wait())));
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        drop(spawn(move || {
            wait_for_the_end();
            let timeout = Timeout::new(MS);
            timeout.start().unwrap();
            std::mem::forget(timeout);
        }));
        drop(spawn(move || {
            wait_for_the_end();
            sender.send(sleep_until(Instant::now() + 20 * MS)).unwrap();
        }));
        yield_now();
    });
    assert_eq!(receiver.try_recv(), Ok(Ended::TimedOut));
}

#[test]
fn who_dies_as_the_thread_ends_with_a_parent_that_waits_does_not_keep_the_thread_alive() {
    static NEVER: threads::Event = threads::Event::new();
    thread_local! {
        static CHILD: RefCell<Option<Greenlet<()>>> = const { RefCell::new(None) };
    }
    on_a_thread(|| {
        reports();
        CHILD.with(|_| ());
        drop(spawn(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| Event::new().wait()));
            // What this ends with finds the parent waiting for something else, so this is never continued.
            let _ = CHILD.with(|child| child.borrow().as_ref().unwrap().try_switch(()));
        }));
        drop(spawn(|| {
            CHILD.set(Some(Greenlet::new(|()| ())));
            NEVER.wait();
        }));
        yield_now();
    });
}

#[test]
fn who_has_left_as_its_unwanted_result_was_dropped_is_unwound_when_the_hub_has_ended() {
    struct Leave(bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            if self.0 {
                let _ = Greenlet::<Leave>::root().try_switch(Leave(false));
            }
        }
    }
    thread_local! {
        static TELL: LastCall = const { RefCell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    on_a_thread(move || {
        reports();
        // Before there is a hub, so that this goes after it.
        TELL.set(None);
        let child = Rc::new(Cell::new(None));
        drop(spawn({
            let child = child.clone();
            move || {
                child.set(Some(Greenlet::new(|leave: Leave| leave)));
                Event::new().wait();
            }
        }));
        yield_now();
        let child = child.take().unwrap();
        // Its parent waits for something else, and the hub knows nothing of it.
        drop(child.switch(Leave(true)));
        TELL.set(Some(OnDrop(Box::new(move || sender.send(child.is_dead()).unwrap()))));
    });
    assert_eq!(receiver.try_recv(), Ok(true));
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
