//! Pipes.

use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use greenlet::os::pipe;
use greenlet::{TimeoutError, spawn, with_timeout};

use crate::{MS, parked};

#[test]
fn more_than_a_pipe_holds_goes_through_it() {
    let (mut reader, mut writer) = pipe().unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let task = spawn({
        let sent = sent.clone();
        move || writer.write_all(&sent).unwrap()
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    assert!(got == sent);
    task.join().unwrap();
}

#[test]
fn data_that_follows_a_short_read_wakes_the_reader() {
    let (reader, mut writer) = pipe().unwrap();
    let lines = parked(move || BufReader::new(reader).lines().collect::<Result<Vec<_>, _>>().unwrap());
    for n in 0..50 {
        writeln!(writer, "line {n}").unwrap();
        greenlet::yield_now();
    }
    drop(writer);
    let expected: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
    assert_eq!(lines.join().unwrap(), expected);
}

#[test]
fn vectored_operations_fill_and_empty_all_buffers() {
    let (mut reader, mut writer) = pipe().unwrap();
    assert_eq!(writer.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cd")]).unwrap(), 4);
    let (mut one, mut two) = ([0; 1], [0; 9]);
    let count = reader.read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]).unwrap();
    assert_eq!((count, &one, &two[..3]), (4, b"a", b"bcd".as_slice()));
}

/// How much each read gets of what is written while the first one waits.
pub(crate) fn counts(
    reads: usize,
    mut read: impl FnMut() -> usize + 'static,
    write: impl FnOnce() -> io::Result<()>,
) -> Vec<usize> {
    let task = parked(move || (0..reads).map(|_| read()).collect::<Vec<_>>());
    write().unwrap();
    assert!(task.wait(Some(Duration::from_secs(60))), "it waits for what is there");
    task.join().unwrap()
}

#[test]
fn more_buffers_than_the_system_takes_at_once_leave_the_rest_to_the_next_read() {
    const BYTES: usize = 2000;
    let (mut reader, mut writer) = pipe().unwrap();
    let mut bytes = vec![[0; 1]; BYTES];
    let read = move || {
        let mut buffers: Vec<_> = bytes.iter_mut().map(|byte| IoSliceMut::new(byte)).collect();
        reader.read_vectored(&mut buffers).unwrap()
    };
    let counts = counts(2, read, || writer.write_all(&[7; BYTES]));
    assert_eq!(counts.iter().sum::<usize>(), BYTES, "{counts:?}");
}

#[test]
fn writing_where_nobody_reads_is_an_error() {
    let (reader, mut writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(writer.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn reading_can_be_timed_out_and_killed_and_loses_no_byte() {
    let (reader, mut writer) = pipe().unwrap();
    assert_eq!(with_timeout(MS, || (&reader).read(&mut [0]).unwrap()), Err(TimeoutError::Elapsed));
    let task = parked({
        let reader = reader.clone();
        move || (&reader).read(&mut [0]).unwrap()
    });
    writer.write_all(b"xy").unwrap();
    task.kill().unwrap();
    assert!(task.join().unwrap_err().is_killed());
    assert_eq!((&reader).read(&mut [0; 9]).unwrap(), 2);
}
