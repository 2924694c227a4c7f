//! Descriptors whose mode belongs to others as well.

use std::io::{Read, Write};

use greenlet::os::Cooperative;
use greenlet::{TimeoutError, spawn, with_timeout};

use crate::{MS, is_nonblocking, parked};

// eventlet 75, 76; E13
#[test]
fn a_blocking_pipe_makes_only_its_greenlet_wait_and_stays_as_it_is() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (their_reader, their_writer) = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
    let task = parked(move || {
        let mut got = Vec::new();
        Cooperative::new(reader).read_to_end(&mut got).unwrap();
        got
    });
    // More than it holds: so the writer waits too, and for the other greenlet.
    let sent = vec![7; 500_000];
    Cooperative::new(writer).write_all(&sent).unwrap();
    assert!(!is_nonblocking(&their_reader) && !is_nonblocking(&their_writer));
    drop(their_writer);
    assert!(task.join().unwrap() == sent);
}

#[test]
fn a_descriptor_that_others_have_set_to_non_blocking_mode_is_waited_for_as_well() {
    let (reader, mut writer) = std::os::unix::net::UnixStream::pair().unwrap();
    reader.set_nonblocking(true).unwrap();
    let task = parked(move || Cooperative::new(reader).read(&mut [0; 8]).unwrap());
    writer.write_all(b"abc").unwrap();
    assert_eq!(task.join().unwrap(), 3);
}

#[test]
fn a_file_is_read_and_written_whole() {
    let path = std::env::temp_dir().join(format!("greenlet-os-{}", std::process::id()));
    let mut file = Cooperative::new(std::fs::File::create(&path).unwrap());
    assert_eq!(file.write(&vec![b'x'; 100_000]).unwrap(), 100_000);
    let mut text = String::new();
    Cooperative::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(text.len(), 100_000);
}

#[test]
fn reading_can_be_timed_out_and_two_may_read() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let other = reader.try_clone().unwrap();
    let mut first = Cooperative::new(reader);
    assert_eq!(with_timeout(MS, || first.read(&mut [0]).unwrap()), Err(TimeoutError::Elapsed));
    let tasks = [spawn(move || first.read(&mut [0]).unwrap()), {
        spawn(move || Cooperative::new(other).read(&mut [0]).unwrap())
    }];
    greenlet::yield_now();
    // Both wake for the first byte, and only one of them finds it.
    writer.write_all(b"x").unwrap();
    greenlet::sleep(MS);
    writer.write_all(b"y").unwrap();
    assert_eq!(tasks.map(|task| task.join().unwrap()), [1, 1]);
}
