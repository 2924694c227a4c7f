//! Spawning, sleeping, joining, killing, timing out.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenlet::hub::{HubHandle, Parker};
use greenlet::queue::Queue;
use greenlet::sync::{Event, Semaphore};
use greenlet::{TimeoutError, join_all, sleep, spawn, spawn_later, with_timeout, yield_now};

const MS: Duration = Duration::from_millis(1);
const FOREVER: Duration = Duration::from_secs(1000);

fn log() -> (Rc<RefCell<Vec<String>>>, impl Fn(&str) + Clone + 'static) {
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let writer = log.clone();
    (log, move |text: &str| writer.borrow_mut().push(text.into()))
}

#[test]
fn tasks_run_when_the_spawner_waits_and_in_the_order_of_spawning() {
    let (entries, note) = log();
    let tasks: Vec<_> = ["a", "b"]
        .map(|name| {
            let note = note.clone();
            spawn(move || {
                note(&format!("{name}1"));
                yield_now();
                note(&format!("{name}2"));
            })
        })
        .into();
    note("main");
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["main", "a1", "b1", "a2", "b2"]);
}

#[test]
fn join_returns_the_result_or_says_why_there_is_none() {
    assert_eq!(spawn(|| "fine".to_string()).join().unwrap(), "fine");
    let error = spawn(|| panic!("broken {}", 1)).join().unwrap_err();
    assert_eq!(error.message(), Some("broken 1"));
    assert!(!error.is_killed());
}

#[test]
fn a_burst_of_tasks_that_never_wait_ends() {
    let done = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..100_000)
        .map(|_| {
            let done = done.clone();
            spawn(move || done.set(done.get() + 1))
        })
        .collect();
    assert_eq!(join_all(&tasks, None).len(), 100_000);
    assert_eq!(done.get(), 100_000);
}

#[test]
fn detached_tasks_go_on() {
    let event = Rc::new(Event::new());
    drop(spawn({
        let event = event.clone();
        move || {
            sleep(MS);
            event.set();
        }
    }));
    event.wait();
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let (entries, note) = log();
    let tasks: Vec<_> = [("c", 30), ("a", 10), ("b", 20)]
        .map(|(name, ms)| {
            let note = note.clone();
            spawn(move || {
                sleep(ms * MS);
                note(name);
            })
        })
        .into();
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["a", "b", "c"]);
}

#[test]
fn sleepers_with_the_same_deadline_wake_in_the_order_of_their_calls() {
    let (entries, note) = log();
    let deadline = Instant::now() + 5 * MS;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let note = note.clone();
            spawn(move || {
                greenlet::sleep_until(deadline);
                note(&n.to_string());
            })
        })
        .collect();
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_spinning_yielder_does_not_starve_timers() {
    let stop = Rc::new(Cell::new(false));
    let spinner = spawn({
        let stop = stop.clone();
        move || {
            while !stop.get() {
                yield_now();
            }
        }
    });
    sleep(2 * MS);
    stop.set(true);
    spinner.join().unwrap();
}

#[test]
fn spawn_later_runs_after_what_is_ready_now() {
    let (entries, note) = log();
    let later = spawn_later(Duration::ZERO, {
        let note = note.clone();
        move || note("later")
    });
    let now = spawn({
        let note = note.clone();
        move || note("now")
    });
    later.join().unwrap();
    now.join().unwrap();
    assert_eq!(*entries.borrow(), ["now", "later"]);
}

#[test]
fn join_all_with_a_timeout_returns_those_that_have_ended() {
    let quick = spawn(|| sleep(MS));
    let slow = spawn(|| sleep(FOREVER));
    let tasks = [quick, slow];
    let ended = join_all(&tasks, Some(30 * MS));
    assert_eq!(ended.len(), 1);
    assert!(tasks[0].is_finished() && !tasks[1].is_finished());
    tasks[1].kill().unwrap();
    assert!(tasks[1].wait(None));
}

#[test]
fn a_task_killed_before_it_runs_never_runs() {
    let ran = Rc::new(Cell::new(false));
    for delay in [None, Some(FOREVER)] {
        let body = {
            let ran = ran.clone();
            move || ran.set(true)
        };
        let task = match delay {
            None => spawn(body),
            Some(delay) => spawn_later(delay, body),
        };
        task.kill().unwrap();
        assert!(task.join().unwrap_err().is_killed());
    }
    assert!(!ran.get());
}

#[test]
fn a_task_killed_while_it_waits_runs_its_destructors() {
    struct Note<F: Fn(&str)>(F);
    impl<F: Fn(&str)> Drop for Note<F> {
        fn drop(&mut self) {
            (self.0)("dropped");
        }
    }
    let (entries, note) = log();
    let task = spawn(move || {
        let _note = Note(note);
        sleep(FOREVER);
    });
    yield_now();
    task.kill().unwrap();
    task.kill().unwrap();
    assert!(task.wait(None));
    assert!(task.error().unwrap().is_killed());
    assert!(task.is_successful());
    assert_eq!(*entries.borrow(), ["dropped"]);
}

#[test]
fn a_timeout_ends_only_its_own_call() {
    let result = with_timeout(5 * MS, || with_timeout(FOREVER, || sleep(FOREVER)));
    assert_eq!(result, Err(TimeoutError::Elapsed));
    let result = with_timeout(FOREVER, || with_timeout(5 * MS, || sleep(FOREVER)));
    assert_eq!(result, Ok(Err(TimeoutError::Elapsed)));
}

#[test]
fn an_outer_timeout_that_is_over_together_with_an_inner_one_is_not_lost() {
    let result = with_timeout(5 * MS, || {
        let inner = with_timeout(5 * MS, || {
            // Both are over before the next wait.
            let until = Instant::now() + 10 * MS;
            while Instant::now() < until {}
            sleep(FOREVER);
        });
        inner.unwrap_err();
        sleep(FOREVER);
    });
    assert_eq!(result, Err(TimeoutError::Elapsed));
}

#[test]
fn a_timeout_that_was_not_needed_leaves_nothing_behind() {
    for _ in 0..100 {
        assert_eq!(with_timeout(MS, || 1), Ok(1));
    }
    sleep(5 * MS);
}

#[test]
fn a_panic_passes_through_a_timeout() {
    let payload = catch_unwind(|| with_timeout(FOREVER, || panic!("through"))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"through"));
}

#[test]
fn a_wake_that_comes_before_the_park_is_kept() {
    let parker = Parker::new();
    let unparker = parker.unparker();
    unparker.unpark();
    unparker.unpark();
    parker.park();
    assert!(!parker.park_timeout(MS), "two wakes make one permit");
    spawn(move || unparker.unpark()).join().unwrap();
    assert!(parker.park_timeout(FOREVER));
}

#[test]
fn semaphore_permits_go_to_those_who_wait_in_their_order() {
    let (entries, note) = log();
    let slots = Rc::new(Semaphore::new(2));
    let tasks: Vec<_> = (0..6)
        .map(|n| {
            let (slots, note) = (slots.clone(), note.clone());
            spawn(move || {
                let _slot = slots.acquire();
                note(&format!("{n}"));
                sleep(MS);
            })
        })
        .collect();
    yield_now();
    assert!(slots.try_acquire().is_none());
    join_all(&tasks, None);
    assert_eq!(*entries.borrow(), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(slots.available(), 2);
}

#[test]
fn a_permit_is_not_lost_when_its_taker_is_killed_after_the_wake() {
    let slots = Rc::new(Semaphore::new(0));
    let waiter = spawn({
        let slots = slots.clone();
        move || slots.acquire().forget()
    });
    yield_now();
    slots.release(1);
    waiter.kill().unwrap();
    assert!(waiter.join().unwrap_err().is_killed());
    assert_eq!(slots.available(), 1);
}

#[test]
fn an_item_is_not_lost_when_its_getter_is_killed_after_the_wake() {
    let queue = Rc::new(Queue::unbounded());
    let getters: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.get())
        })
        .collect();
    yield_now();
    queue.put("item").unwrap();
    getters[0].kill().unwrap();
    assert!(getters[1].wait(Some(FOREVER)));
    assert_eq!(getters[1].value(), Some(&Ok("item")));
}

#[test]
fn a_bounded_queue_makes_its_putters_wait() {
    let (entries, note) = log();
    let queue = Rc::new(Queue::bounded(1));
    let producer = spawn({
        let (queue, note) = (queue.clone(), note.clone());
        move || {
            for n in 0..3 {
                queue.put(n).unwrap();
                note(&format!("p{n}"));
            }
        }
    });
    yield_now();
    assert_eq!(*entries.borrow(), ["p0"]);
    assert_eq!(queue.put_timeout(99, MS), Err(greenlet::queue::PutError::Full(99)));
    assert_eq!([queue.get(), queue.get(), queue.get()], [Ok(0), Ok(1), Ok(2)]);
    producer.join().unwrap();
    assert_eq!(queue.get_timeout(MS), Err(greenlet::queue::GetError::Empty));
}

#[test]
fn other_threads_spawn_tasks_through_a_handle() {
    let parker = Parker::new();
    let unparker = std::thread::spawn({
        let handle = HubHandle::current();
        let (sender, receiver) = std::sync::mpsc::channel();
        move || {
            handle
                .spawn(move || {
                    sleep(MS);
                    sender.send(7).unwrap();
                })
                .unwrap();
            drop(handle);
            receiver
        }
    });
    assert!(!parker.park_timeout(20 * MS));
    assert_eq!(unparker.join().unwrap().recv(), Ok(7));
}

#[test]
fn a_handle_to_an_ended_hub_refuses() {
    let handle = std::thread::spawn(HubHandle::current).join().unwrap();
    assert!(handle.spawn(|| ()).is_err());
}

#[test]
fn blocking_functions_run_on_a_pool_while_others_go_on() {
    let pool = greenlet::pool::ThreadPool::new(8);
    let caller = std::thread::current().id();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let pool = pool.clone();
            spawn(move || pool.run(move || (n, std::thread::current().id())).unwrap())
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let (answer, thread) = task.join().unwrap();
        assert_eq!(answer, n);
        assert_ne!(thread, caller);
    }
    let payload = catch_unwind(AssertUnwindSafe(|| pool.run(|| panic!("over there")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"over there"));
}

#[test]
fn waiting_for_ever_raises_loop_exit_in_the_root_with_the_list_of_who_waits() {
    let event = Rc::new(Event::new());
    let stuck = greenlet::Greenlet::builder().name("stuck").spawn({
        let event = event.clone();
        move || event.wait()
    });
    let payload = catch_unwind(AssertUnwindSafe(|| stuck.wait(None))).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.starts_with("LoopExit"), "{report}");
    assert!(report.contains("\"stuck\": an event"), "{report}");
    assert!(report.contains("greenlet 0: the end of a task"), "{report}");
    event.set();
    assert!(stuck.wait(None), "it was parked, not lost");
}

#[test]
fn parked_tasks_are_unwound_when_their_thread_ends() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        struct Tell(std::sync::mpsc::Sender<u32>);
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
fn a_greenlet_switched_to_by_hand_may_wait_in_the_hub() {
    let task = spawn(|| sleep(2 * MS));
    let g = greenlet::Greenlet::<u32>::new(|n| {
        sleep(5 * MS);
        n + 1
    });
    assert_eq!(g.switch(1), 2);
    assert!(task.is_finished());
}

#[test]
fn a_semaphore_that_times_out_gives_nothing_back() {
    let slots = Semaphore::new(1);
    let _held = slots.acquire();
    assert!(slots.acquire_timeout(MS).is_none());
    assert!(slots.try_acquire().is_none());
}

#[test]
fn a_loop_exit_that_a_hand_switched_greenlet_survives_loses_no_wake() {
    let event = Rc::new(Event::new());
    let done = Rc::new(Cell::new(false));
    let g = greenlet::Greenlet::<()>::new({
        let (event, done) = (event.clone(), done.clone());
        move |()| {
            event.wait();
            done.set(true);
        }
    });
    let raised = g.try_switch(()).unwrap_err();
    assert!(raised.message().unwrap().starts_with("LoopExit"));
    event.set();
    yield_now();
    assert!(done.get());
}

#[test]
fn a_greenlet_that_parked_after_a_loop_exit_can_be_killed() {
    let g = greenlet::Greenlet::<()>::new(|()| Event::new().wait());
    g.try_switch(()).unwrap_err();
    g.kill().unwrap();
    assert!(g.is_dead());
}

#[test]
fn a_child_that_ends_while_its_parent_is_parked_does_not_disturb_the_parent() {
    greenlet::set_report_hook(|_| ());
    let task = spawn(|| {
        let child = greenlet::Greenlet::<u32>::new(|n| {
            sleep(2 * MS);
            n
        });
        let starter = {
            let child = child.clone();
            spawn(move || drop(child.try_switch(1)))
        };
        yield_now();
        sleep(10 * MS);
        starter.kill().unwrap();
        child.is_dead()
    });
    assert!(task.join().unwrap());
}

/// Runs `f` on a thread of its own, to its end, thread-locals included.
fn on_a_thread(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(f).join().unwrap();
}

#[test]
fn a_task_that_catches_its_kill_and_waits_again_does_not_keep_its_thread_alive() {
    greenlet::set_report_hook(|_| ());
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
fn destructors_that_spawn_while_the_thread_ends_get_nothing_and_leak_nothing() {
    struct SpawnOnDrop(std::sync::mpsc::Sender<()>);
    impl Drop for SpawnOnDrop {
        fn drop(&mut self) {
            let sender = self.0.clone();
            assert!(spawn(move || drop(sender)).join().unwrap_err().is_not_started());
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
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
fn a_task_that_was_to_start_later_is_dropped_when_its_thread_ends() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    on_a_thread(move || {
        drop(spawn(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| Event::new().wait()));
        }));
        drop(spawn_later(5 * MS, move || drop(sender)));
        yield_now();
    });
    assert!(receiver.recv().is_err());
}

#[test]
fn a_pool_keeps_its_worker_when_an_unwanted_answer_panics_as_it_is_dropped() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("angry"));
        }
    }
    let pool = greenlet::pool::ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let asker = spawn({
        let pool = pool.clone();
        move || {
            pool.run(move || {
                may_go.recv().unwrap();
                Angry
            })
            .unwrap();
        }
    });
    yield_now();
    asker.kill().unwrap();
    asker.join().unwrap_err();
    go.send(()).unwrap();
    assert_eq!(pool.run(|| 1).unwrap(), 1);
}

#[test]
fn a_parker_whose_woken_waiter_is_killed_wakes_the_next() {
    let parker = Rc::new(Parker::new());
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let parker = parker.clone();
            spawn(move || parker.park())
        })
        .collect();
    yield_now();
    parker.unparker().unpark();
    waiters[0].kill().unwrap();
    assert!(waiters[1].wait(Some(FOREVER)));
    assert!(waiters[1].error().is_none());
}

#[test]
fn a_task_starts_with_the_context_of_its_spawner_as_it_was_then() {
    static REQUEST: greenlet::context::Key<u32> = greenlet::context::Key::new();
    REQUEST.set(7);
    let seen = spawn(|| REQUEST.get());
    REQUEST.set(8);
    assert_eq!(seen.join().unwrap(), Some(7));
}
