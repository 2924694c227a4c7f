//! What is read like a pipe and stops short of what is there.

use std::fs::File;
use std::io::{PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use greenlet::os::PipeReader;

use crate::pipe::counts;

/// Reads up to 64 bytes at a time.
fn reads(fd: OwnedFd) -> impl FnMut() -> usize + 'static {
    let mut reader = PipeReader::try_from(fd).unwrap();
    move || reader.read(&mut [0; 64]).unwrap()
}

#[test]
fn a_pipe_of_packets_is_read_packet_by_packet() {
    let mut fds = [0; 2];
    // SAFETY: there is room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_DIRECT | libc::O_CLOEXEC) }, 0);
    // SAFETY: just made.
    let [reader, writer] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let mut writer = PipeWriter::from(writer);
    let write = || ["one", "two", "three"].iter().try_for_each(|packet| writer.write_all(packet.as_bytes()));
    assert_eq!(counts(3, reads(reader), write), [3, 3, 5]);
}

/// How many bytes there are to read.
fn available(fd: &OwnedFd) -> libc::c_int {
    let mut count = 0;
    // SAFETY: there is room for the number.
    assert_eq!(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut count) }, 0);
    count
}

#[test]
fn a_terminal_is_read_line_by_line() {
    let (mut ours, mut theirs) = (0, 0);
    let (name, settings, size) = (ptr::null_mut(), ptr::null(), ptr::null());
    // SAFETY: there is room for both descriptors, and nothing else is asked for or said.
    assert_eq!(unsafe { libc::openpty(&mut ours, &mut theirs, name, settings, size) }, 0);
    // SAFETY: just made.
    let [ours, theirs] = [ours, theirs].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let (mut ours, lines) = (File::from(ours), theirs.try_clone().unwrap());
    // The reader runs when both lines are there.
    let write = || {
        ours.write_all(b"one\nthree\n")?;
        while available(&lines) < 10 {
            std::thread::yield_now();
        }
        Ok(())
    };
    assert_eq!(counts(2, reads(theirs), write), [4, 6]);
}
