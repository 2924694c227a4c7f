//! A hub in a loop of somebody else's, which here is a plain one around `poll(2)`.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use greenlet::hub::{Backend, Guest, HubHandle, use_backend};
use greenlet::net::{TcpListener, TcpStream, UnixStream};
use greenlet::queue::Queue;
use greenlet::sync::Event;
use greenlet::{idle, join_all, sleep, spawn, yield_now};

/// This thread's hub as a guest.
fn guest() -> Guest {
    use_backend(Backend::System).unwrap();
    Guest::new().unwrap()
}

/// Waits as a loop does.
fn wait(guest: &Guest, timeout: Option<Duration>) {
    let round_up =
        |timeout: Duration| timeout.as_micros().div_ceil(1000).try_into().unwrap_or(libc::c_int::MAX);
    let milliseconds = timeout.map_or(-1, round_up);
    let mut fd = libc::pollfd { fd: guest.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one descriptor, which is open.
    unsafe { libc::poll(&mut fd, 1, milliseconds) };
}

/// Runs a loop until something is so; returns how often it had to wait.
fn run_until(guest: &Guest, is_so: impl Fn() -> bool) -> usize {
    let mut waits = 0;
    loop {
        let timeout = guest.turn();
        if is_so() {
            return waits;
        }
        waits += usize::from(timeout != Some(Duration::ZERO));
        wait(guest, timeout);
    }
}

#[test]
fn timers_fire_in_a_foreign_loop_which_sleeps_until_they_do() {
    let guest = guest();
    let sleepers: Vec<_> = (1..=3).map(|n| spawn(move || sleep(Duration::from_millis(20 * n)))).collect();
    let waits = run_until(&guest, || sleepers.iter().all(|task| task.is_finished()));
    // One for each, if nothing holds the process up, and another where the system's clocks differ.
    assert!(waits < 30, "{waits} waits for three timers");
}

#[test]
fn sockets_become_ready_in_a_foreign_loop() {
    let guest = guest();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(spawn(move || {
        for mut connection in listener.incoming().flatten() {
            drop(spawn(move || {
                let mut byte = [0];
                while connection.read_exact(&mut byte).is_ok() && connection.write_all(&byte).is_ok() {}
            }));
        }
    }));
    let clients: Vec<_> = (0..300)
        .map(|n| {
            spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for _ in 0..3 {
                    let mut echo = [0];
                    stream.write_all(&[n as u8]).unwrap();
                    stream.read_exact(&mut echo).unwrap();
                    assert_eq!(echo, [n as u8]);
                }
            })
        })
        .collect();
    run_until(&guest, || clients.iter().all(|task| task.is_finished()));
    assert_eq!(join_all(&clients, None).len(), 300);
    assert!(clients.iter().all(|task| task.is_successful()));
}

/// A loop that is told of changes only is not told of the rest.
#[test]
fn one_turn_sees_to_all_sockets_that_are_ready_however_many() {
    let guest = guest();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..300).map(|_| UnixStream::pair().unwrap()).unzip();
    let readers: Vec<_> =
        theirs.into_iter().map(|mut stream| spawn(move || stream.read_exact(&mut [0]))).collect();
    guest.turn();
    ours.iter().for_each(|mut stream| stream.write_all(b"x").unwrap());
    guest.turn();
    assert_eq!(readers.iter().filter(|reader| reader.is_successful()).count(), 300);
}

#[test]
fn another_thread_ends_the_sleep_of_a_foreign_loop() {
    let guest = guest();
    assert_eq!(guest.turn(), None, "nobody is there, and nothing will happen");
    let (hub, (done, is_done)) = (HubHandle::current(), mpsc::channel());
    let other = std::thread::spawn(move || {
        for n in 0..50 {
            let done = done.clone();
            hub.spawn(move || done.send(n).unwrap()).unwrap();
            if n % 10 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let came = RefCell::new(Vec::new());
    run_until(&guest, || {
        came.borrow_mut().extend(is_done.try_iter());
        came.borrow().len() == 50
    });
    other.join().unwrap();
    assert_eq!(came.take(), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_turn_runs_everybody_once_and_asks_for_another_one_while_somebody_is_ready() {
    let guest = guest();
    let steps = Rc::new(Queue::unbounded());
    for name in ["a", "b"] {
        let steps = steps.clone();
        drop(spawn(move || {
            for _ in 0..2 {
                steps.try_put(name).unwrap();
                yield_now();
            }
        }));
    }
    let taken = || std::iter::from_fn(|| steps.try_get().ok()).collect::<Vec<_>>();
    assert_eq!((guest.turn(), taken()), (Some(Duration::ZERO), vec!["a", "b"]));
    assert_eq!((guest.turn(), taken()), (Some(Duration::ZERO), vec!["a", "b"]));
    assert_eq!((guest.turn(), taken()), (None, vec![]), "they have ended");
}

#[test]
fn who_waits_for_the_others_to_be_idle_runs_in_a_foreign_loop() {
    let guest = guest();
    let task = spawn(idle);
    run_until(&guest, || task.is_finished());
}

#[test]
fn a_guest_asks_for_another_turn_while_stacks_of_a_peak_are_to_give_their_memory_back() {
    let guest = guest();
    let event = Rc::new(Event::new());
    for _ in 0..3000 {
        let event = event.clone();
        drop(spawn(move || event.wait()));
    }
    assert_eq!(guest.turn(), None, "all of them are in use");
    event.set();
    assert!(guest.turn().is_some_and(|wait| wait > Duration::ZERO));
}

#[test]
fn what_the_loop_does_itself_shows_at_the_next_turn_and_it_may_wait_as_others_do() {
    let guest = guest();
    let event = Rc::new(Event::new());
    let task = spawn({
        let event = event.clone();
        move || event.wait()
    });
    assert_eq!(guest.turn(), None);
    event.set();
    assert_eq!(guest.turn(), None);
    assert!(task.is_finished());
    // It sleeps in the hub's own way, between turns that promised other threads to be told.
    sleep(Duration::from_millis(1));
    let handle = HubHandle::current();
    let task = std::thread::spawn(move || handle.spawn(|| ()).is_ok()).join().unwrap();
    assert!(task);
}

#[test]
fn only_the_root_can_be_in_a_foreign_loop() {
    let guest = guest();
    let refused = spawn(move || {
        let payload = catch_unwind(AssertUnwindSafe(|| guest.turn())).unwrap_err();
        payload.downcast_ref::<&str>().unwrap().contains("only the root greenlet")
    });
    assert!(refused.join().unwrap());
}

#[test]
fn a_hub_that_waits_by_poll_is_no_guest() {
    use_backend(Backend::Poll).unwrap();
    assert_eq!(Guest::new().unwrap_err().kind(), ErrorKind::Unsupported);
}
