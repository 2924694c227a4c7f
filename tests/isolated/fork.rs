//! Forked children. Numbers are those of the statements and of the bugs in the studies of gevent and
//! eventlet that the scheduler is held to: "gevent 105", "E19".

use std::cell::Cell;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::rc::Rc;
use std::time::Duration;

use greenlet::hub::{HubGone, HubHandle, after_fork};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::process::Command;
use greenlet::signal::{SIGUSR1, Signals};
use greenlet::sync::Event;
use greenlet::{Greenlet, dns, sleep, spawn, with_timeout, yield_now};

use crate::{isolated, passes, stderr};

const MS: Duration = Duration::from_millis(1);

/// Runs `body` in a child, which starts over; how that ended.
fn in_child(body: impl FnOnce()) -> i32 {
    // SAFETY: the threads of the test harness hold no lock that the child needs.
    match unsafe { libc::fork() } {
        -1 => panic!("{}", std::io::Error::last_os_error()),
        0 => {
            let passed = catch_unwind(AssertUnwindSafe(|| {
                after_fork().unwrap();
                body();
            }));
            // Not by a panic, which the harness would wait for in vain.
            // SAFETY: ends the process.
            unsafe { libc::_exit(passed.is_err().into()) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the status is ours to write to.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert!(libc::WIFEXITED(status), "{status:#x}");
            libc::WEXITSTATUS(status)
        }
    }
}

/// Counts when it is dropped.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

// gevent 105, 106; eventlet 90; G8, E19
#[test]
fn a_child_runs_none_of_its_parents_greenlets_and_the_parent_all() {
    passes("fork::a_child_runs_none_of_its_parents_greenlets_and_the_parent_all", || {
        let (ticks, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let tick = |pause| {
            let (ticks, counted) = (ticks.clone(), Counted(dropped.clone()));
            spawn(move || {
                let _counted = counted;
                loop {
                    ticks.set(ticks.get() + 1);
                    sleep(pause);
                }
            })
        };
        // One that sleeps, one that is ready, one that has not begun, one that will be spawned.
        let sleeping = tick(MS);
        let ready = tick(Duration::ZERO);
        yield_now();
        let unstarted = tick(MS);
        let later = greenlet::spawn_later(MS, || unreachable!("in the child"));
        let before = ticks.get();
        let status = in_child(|| {
            sleep(10 * MS);
            spawn(|| sleep(MS)).join().unwrap();
            assert_eq!(ticks.get(), before);
            // The end of the thread would unwind what it knows.
            greenlet::unwind_all();
            assert_eq!(dropped.get(), 0);
            assert!(!sleeping.is_finished() && !later.is_finished());
        });
        assert_eq!(status, 0);
        later.kill().unwrap();
        while ticks.get() <= before + 3 {
            sleep(MS);
        }
        for task in [sleeping, ready, unstarted] {
            task.kill().unwrap();
            task.wait(None);
        }
        assert_eq!(dropped.get(), 3);
    });
}

#[test]
fn a_child_that_a_task_forks_has_that_task_alone() {
    passes("fork::a_child_that_a_task_forks_has_that_task_alone", || {
        let waited = Rc::new(Cell::new(false));
        let task = spawn({
            let waited = waited.clone();
            move || {
                in_child(|| {
                    let other = spawn(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
                    assert_ne!(other.join().unwrap().port(), 0);
                    sleep(MS);
                    assert!(!waited.get(), "the root is the parent's");
                })
            }
        });
        let status = task.join().unwrap();
        waited.set(true);
        assert_eq!(status, 0);
    });
}

/// The destructors of what was forked away from belong to the parent.
#[test]
fn a_child_that_exits_unwinds_nothing_of_its_parent() {
    let output = isolated("fork::a_child_that_exits_unwinds_nothing_of_its_parent", || {
        struct Says;
        impl Drop for Says {
            fn drop(&mut self) {
                // SAFETY: takes no memory.
                eprintln!("dropped in {}", unsafe { libc::getpid() });
            }
        }
        drop(spawn(|| {
            let _says = Says;
            sleep(Duration::from_secs(1000));
        }));
        yield_now();
        let in_unstarted = Says;
        drop(spawn(move || drop(in_unstarted)));
        // SAFETY: the threads of the test harness hold no lock that the child needs.
        let child = unsafe { libc::fork() };
        if child == 0 {
            after_fork().unwrap();
            sleep(MS);
            exit(0);
        }
        // SAFETY: no status is asked for.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        eprintln!("the child is gone");
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    let (in_child, in_parent) = said.split_once("the child is gone").unwrap();
    assert_eq!(
        (in_child.matches("dropped in").count(), in_parent.matches("dropped in").count()),
        (0, 2),
        "{said}"
    );
}

// gevent 105; E19: a listener that is shared, each with a poller of its own
#[test]
fn a_socket_that_the_parent_waits_for_can_be_used_in_the_child() {
    passes("fork::a_socket_that_the_parent_waits_for_can_be_used_in_the_child", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Rc::new(Cell::new(0));
        let acceptor = spawn({
            let (listener, served) = (listener.clone(), served.clone());
            move || {
                for connection in listener.incoming() {
                    connection.unwrap().write_all(b"parent").unwrap();
                    served.set(served.get() + 1);
                }
            }
        });
        yield_now();
        let status = in_child(|| {
            let server = spawn(move || listener.accept().unwrap().0.write_all(b"child").unwrap());
            let mut answer = String::new();
            TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "child");
            server.join().unwrap();
            assert_eq!(served.get(), 0);
        });
        assert_eq!(status, 0);
        let mut answer = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "parent");
        acceptor.kill().unwrap();
    });
}

// gevent 78, 107
#[test]
fn threads_lookups_and_processes_work_in_parent_and_child() {
    passes("fork::threads_lookups_and_processes_work_in_parent_and_child", || {
        dns::lookup("localhost").unwrap();
        let status = in_child(|| {
            dns::lookup("localhost").unwrap();
            assert!(Command::new("true").status().unwrap().success());
            assert_eq!(in_child(|| drop(dns::lookup("localhost").unwrap())), 0, "and in its child");
        });
        assert_eq!(status, 0);
        dns::lookup("localhost").unwrap();
    });
}

#[test]
fn what_the_child_wakes_is_not_its_parents() {
    passes("fork::what_the_child_wakes_is_not_its_parents", || {
        let (event, woken) = (Rc::new(Event::new()), Rc::new(Cell::new(false)));
        let waiter = spawn({
            let (event, woken) = (event.clone(), woken.clone());
            move || {
                event.wait();
                woken.set(true);
            }
        });
        yield_now();
        let status = in_child(|| {
            event.set();
            sleep(MS);
            assert!(!woken.get());
        });
        assert_eq!(status, 0);
        event.set();
        waiter.join().unwrap();
    });
}

/// What the parent has set is cancelled by its key, in the child as well.
#[test]
fn a_timeout_that_spans_the_fork_ends_in_the_parent_and_cancels_nothing_in_the_child() {
    passes("fork::a_timeout_that_spans_the_fork_ends_in_the_parent_and_cancels_nothing_in_the_child", || {
        let result = with_timeout(20 * MS, || {
            let mut sleeper = None;
            // SAFETY: the threads of the test harness hold no lock that the child needs.
            let child = unsafe { libc::fork() };
            if child == 0 {
                after_fork().unwrap();
                sleeper = Some(spawn(|| sleep(30 * MS)));
                yield_now();
            } else {
                let mut status = 0;
                // SAFETY: the status is ours to write to.
                unsafe { libc::waitpid(child, &mut status, 0) };
                assert_eq!(status, 0);
                sleep(Duration::from_secs(1000));
            }
            sleeper
        });
        if let Ok(Some(sleeper)) = result {
            let woke = catch_unwind(AssertUnwindSafe(|| sleeper.join().is_ok()));
            // SAFETY: ends the child.
            unsafe { libc::_exit((woke.ok() != Some(true)).into()) };
        }
        assert!(result.is_err(), "in the parent it is over");
    });
}

#[test]
fn who_listened_to_signals_before_the_fork_hears_those_of_the_child() {
    passes("fork::who_listened_to_signals_before_the_fork_hears_those_of_the_child", || {
        let signals = Signals::new([SIGUSR1]).unwrap();
        let status = in_child(|| {
            let sender = spawn(|| {
                sleep(MS);
                // SAFETY: takes no memory.
                assert_eq!(unsafe { libc::raise(SIGUSR1) }, 0);
                sleep(Duration::from_secs(1000));
            });
            assert_eq!(with_timeout(Duration::from_secs(30), || signals.wait()), Ok(SIGUSR1));
            sender.kill().unwrap();
        });
        assert_eq!(status, 0);
        assert_eq!(signals.try_wait(), None, "it was the child's");
    });
}

#[test]
fn greenlets_that_are_switched_to_by_hand_go_on_in_the_child() {
    passes("fork::greenlets_that_are_switched_to_by_hand_go_on_in_the_child", || {
        let main = Greenlet::<u32>::current();
        let counter = Greenlet::new(move |mut n| {
            loop {
                n = main.switch(n + 1);
            }
        });
        assert_eq!(counter.switch(1), 2);
        assert_eq!(in_child(|| assert_eq!(counter.switch(10), 11)), 0);
        assert_eq!(counter.switch(2), 3);
    });
}

#[test]
fn a_handle_to_the_parents_hub_says_that_it_is_gone() {
    passes("fork::a_handle_to_the_parents_hub_says_that_it_is_gone", || {
        let handle = HubHandle::current();
        let status = in_child(|| {
            assert_eq!(handle.spawn(|| ()), Err(HubGone));
            assert_eq!(HubHandle::current().spawn(|| ()), Ok(()));
        });
        assert_eq!(status, 0);
        assert_eq!(handle.spawn(|| ()), Ok(()));
    });
}

#[test]
fn who_has_no_hub_has_none_to_start_over() {
    passes("fork::who_has_no_hub_has_none_to_start_over", || {
        assert_eq!(in_child(|| sleep(MS)), 0);
    });
}
