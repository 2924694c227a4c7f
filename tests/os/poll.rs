//! Waiting for several descriptors.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream, UnixStream};
use greenlet::os::{Interest, PollFd, poll, select};
use greenlet::{TimeoutError, idle, spawn, with_timeout, yield_now};

use crate::{MS, parked};

// eventlet 77, E15: of an original, one at most
#[test]
fn all_that_are_ready_are_said_to_be() {
    let pairs: Vec<_> = (0..10).map(|_| UnixStream::pair().unwrap()).collect();
    for (_, b) in pairs.iter().step_by(2) {
        (&*b).write_all(b"x").unwrap();
    }
    let mut fds: Vec<_> = pairs.iter().map(|(a, _)| PollFd::new(a, Interest::Read)).collect();
    assert_eq!(poll(&mut fds, None).unwrap(), 5);
    for (n, fd) in fds.iter().enumerate() {
        assert_eq!(fd.is_readable(), n % 2 == 0);
        assert!(!fd.is_writable(), "that was not asked");
    }
}

#[test]
fn what_becomes_ready_first_ends_the_wait() {
    let (a, b) = UnixStream::pair().unwrap();
    let (c, d) = std::io::pipe().unwrap();
    let waiter = parked(move || {
        let mut fds = [PollFd::new(&a, Interest::Read), PollFd::new(&c, Interest::Read)];
        assert_eq!(poll(&mut fds, None).unwrap(), 1);
        (fds[0].is_ready(), fds[1].is_ready())
    });
    (&d).write_all(b"x").unwrap();
    assert_eq!(waiter.join().unwrap(), (false, true));
    drop((b, d));
}

#[test]
fn who_polls_a_socket_is_told_of_what_comes_after_the_hub_has_let_go_of_it() {
    let (a, mut b) = UnixStream::pair().unwrap();
    let fd = a.as_raw_fd();
    let reader = parked({
        let a = a.clone();
        move || (&a).read(&mut [0])
    });
    reader.kill().unwrap();
    assert!(reader.join().unwrap_err().is_killed());
    let waiter = parked(move || {
        // SAFETY: it is open until the end of the test.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        poll(&mut [PollFd::new(&fd, Interest::Read)], None)
    });
    let _a = a.into_std().unwrap();
    b.write_all(b"x").unwrap();
    assert!(waiter.wait(Some(Duration::from_secs(20))));
    assert_eq!(waiter.join().unwrap().unwrap(), 1);
}

#[test]
fn who_polls_is_served_while_others_are_always_ready() {
    for go_on in [yield_now, idle] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let waiter = parked(move || poll(&mut [PollFd::new(&reader, Interest::Read)], None));
        writer.write_all(b"x").unwrap();
        (0..100_000).take_while(|_| !waiter.is_finished()).for_each(|_| go_on());
        assert!(waiter.is_finished());
        assert_eq!(waiter.join().unwrap().unwrap(), 1);
    }
}

#[test]
fn a_listener_and_a_connection_are_waited_for_together() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    let client_task = spawn(move || {
        client.write_all(b"x").unwrap();
        TcpStream::connect(address).unwrap()
    });
    let (mut read, mut accepted) = (0, 0);
    while read + accepted < 2 {
        let found = select(&[listener.as_fd(), server.as_fd()], &[], None).unwrap();
        for place in found.readable {
            match place {
                0 => accepted += usize::from(listener.accept().is_ok()),
                _ => read += (&server).read(&mut [0; 8]).unwrap(),
            }
        }
    }
    assert_eq!((read, accepted), (1, 1));
    client_task.join().unwrap();
}

#[test]
fn a_hang_up_is_told_without_being_asked_for() {
    let (a, b) = UnixStream::pair().unwrap();
    drop(b);
    let mut fds = [PollFd::new(&a, Interest::Write)];
    assert_eq!(poll(&mut fds, None).unwrap(), 1);
    assert!(fds[0].is_hung_up() && fds[0].is_writable() && !fds[0].is_error());
}

#[test]
fn waiting_can_be_limited_timed_out_and_killed() {
    let (a, _b) = UnixStream::pair().unwrap();
    let quiet = |timeout| poll(&mut [PollFd::new(&a, Interest::Read)], timeout).unwrap();
    assert_eq!(quiet(Some(Duration::ZERO)), 0);
    assert_eq!(quiet(Some(MS)), 0);
    assert_eq!(with_timeout(MS, || quiet(None)), Err(TimeoutError::Elapsed));
    assert_eq!(poll(&mut [], Some(MS)).unwrap(), 0, "with nothing to wait for it is a sleep");
    let waiter = parked({
        let a = a.clone();
        move || poll(&mut [PollFd::new(&a, Interest::Read)], None)
    });
    waiter.kill().unwrap();
    assert!(waiter.join().unwrap_err().is_killed());
}

#[test]
fn the_same_descriptor_may_be_there_twice() {
    let (a, b) = UnixStream::pair().unwrap();
    let waiter = parked(move || {
        let mut fds = [PollFd::new(&a, Interest::Read), PollFd::new(&a, Interest::Read)];
        poll(&mut fds, None).unwrap()
    });
    (&b).write_all(b"x").unwrap();
    assert_eq!(waiter.join().unwrap(), 2);
}

// gevent 103
#[test]
fn one_who_only_ever_polls_what_is_ready_lets_others_run() {
    let (a, _b) = UnixStream::pair().unwrap();
    let poller = spawn(move || {
        loop {
            poll(&mut [PollFd::new(&a, Interest::Write)], None).unwrap();
        }
    });
    let other = spawn(|| (0..5).for_each(|_| greenlet::sleep(MS)));
    assert!(other.wait(Some(Duration::from_secs(60))));
    poller.kill().unwrap();
    poller.wait(None);
}

/// Nobody else has waited for it, so that the poller knows it by the one who polls only.
#[test]
fn one_that_is_closed_while_it_is_polled_is_looked_at_again() {
    let (a, _b) = UnixStream::pair().unwrap();
    let a = Rc::new(a);
    let waiter = parked({
        let a = a.clone();
        move || poll(&mut [PollFd::new(&*a, Interest::Read)], None).unwrap()
    });
    a.close().unwrap();
    assert_eq!(waiter.join().unwrap(), 1);
}
