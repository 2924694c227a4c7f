//! Waiting for one descriptor.

use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::UnixStream;
use greenlet::os::fd::{wait_readable, wait_writable};
use greenlet::{TimeoutError, with_timeout};

use crate::{MS, is_nonblocking, is_timeout, parked};

#[test]
fn a_descriptor_of_somebody_else_is_waited_for_in_the_mode_in_which_it_is() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let task = parked(move || {
        wait_readable(&reader, None).unwrap();
        assert!(!is_nonblocking(&reader));
        reader.read(&mut [0; 8]).unwrap()
    });
    wait_writable(&writer, None).unwrap();
    writer.write_all(b"abc").unwrap();
    assert_eq!(task.join().unwrap(), 3);
}

#[test]
fn the_end_of_a_pipe_wakes_who_waits_to_read_or_write() {
    let (reader, writer) = std::io::pipe().unwrap();
    let task = parked(move || {
        wait_readable(&reader, None).unwrap();
        (&reader).read(&mut [0; 8]).unwrap()
    });
    drop(writer);
    assert_eq!(task.join().unwrap(), 0);

    let (reader, writer) = std::io::pipe().unwrap();
    let full = fill(&writer);
    let task = parked(move || {
        wait_writable(&full, None).unwrap();
        (&full).write(b"x").unwrap_err().kind()
    });
    drop((reader, writer));
    assert_eq!(task.join().unwrap(), std::io::ErrorKind::BrokenPipe);
}

/// Fills a pipe; returns another handle to its end.
fn fill(writer: &std::io::PipeWriter) -> std::io::PipeWriter {
    let duplicate = writer.try_clone().unwrap();
    while !is_timeout_of_zero(&duplicate) {
        (&duplicate).write_all(&[0; 4096]).unwrap();
    }
    duplicate
}

fn is_timeout_of_zero(writer: &std::io::PipeWriter) -> bool {
    wait_writable(writer, Some(Duration::ZERO)).is_err()
}

// eventlet 72, E14
#[test]
fn a_regular_file_is_always_ready() {
    let file = std::fs::File::open("Cargo.toml").unwrap();
    wait_readable(&file, None).unwrap();
    wait_writable(&file, None).unwrap();
    wait_readable(&std::fs::File::open("/dev/null").unwrap(), None).unwrap();
}

#[test]
fn waiting_can_be_limited_timed_out_and_killed() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = Rc::new(reader);
    assert!(is_timeout(wait_readable(&*reader, Some(MS))));
    assert!(is_timeout(wait_readable(&*reader, Some(Duration::ZERO))));
    let late = with_timeout(MS, || wait_readable(&*reader, None).unwrap());
    assert_eq!(late, Err(TimeoutError::Elapsed));
    let waiter = parked({
        let reader = reader.clone();
        move || wait_readable(&*reader, None).unwrap()
    });
    waiter.kill().unwrap();
    assert!(waiter.join().unwrap_err().is_killed());
    writer.write_all(b"x").unwrap();
    wait_readable(&*reader, None).unwrap();
}

// gevent 97, eventlet 66: an error there
#[test]
fn all_who_wait_for_one_descriptor_wake() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = Rc::new(reader);
    let waiters = [0; 3].map(|_| {
        let reader = reader.clone();
        parked(move || wait_readable(&*reader, None).unwrap())
    });
    writer.write_all(b"x").unwrap();
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
}

/// The poller can watch a descriptor once: from outside first, then by its owner, and back.
#[test]
fn one_may_wait_for_the_descriptor_of_a_socket_beside_those_who_read_it() {
    let (a, mut b) = UnixStream::pair().unwrap();
    let a = Rc::new(a);
    let outside = || {
        let a = a.clone();
        parked(move || wait_readable(&*a, None).unwrap())
    };
    let inside = || {
        let a = a.clone();
        parked(move || (&*a).read_exact(&mut [0]).unwrap())
    };
    let (first, reader, second) = (outside(), inside(), outside());
    b.write_all(b"x").unwrap();
    reader.join().unwrap();
    // The reader may have been faster than the others.
    b.write_all(b"y").unwrap();
    first.join().unwrap();
    second.join().unwrap();
    (&*a).read_exact(&mut [0]).unwrap();
    // Now it is watched for its owner.
    let (third, reader) = (outside(), inside());
    b.write_all(b"x").unwrap();
    reader.join().unwrap();
    b.write_all(b"y").unwrap();
    third.join().unwrap();
}

#[test]
fn a_descriptor_that_was_waited_for_can_be_closed_and_its_number_used_again() {
    for _ in 0..20 {
        let (reader, mut writer) = std::io::pipe().unwrap();
        assert!(is_timeout(wait_readable(&reader, Some(Duration::from_micros(1)))));
        let waiter = parked(move || wait_readable(&reader, None).unwrap());
        writer.write_all(b"x").unwrap();
        waiter.join().unwrap();
    }
}
