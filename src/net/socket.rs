//! What sockets of all kinds do, given the source of one: the types of this room add names.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::time::Instant;

use super::patience::retry;
use super::sys;
use crate::hub::{self, Direction, Hub, Source, SourceRef};
use crate::os::SystemAddr;
use crate::os::set_nonblocking;

const DATA: &str = "data from a socket";
const ROOM: &str = "room in a socket";
const DATAGRAM: &str = "a datagram";

/// Connects a stream socket in non-blocking mode.
///
/// # Errors
///
/// Those of the system, or that it is later than `until`.
#[track_caller]
pub(super) fn connect(fd: OwnedFd, address: &SystemAddr, until: Option<Instant>) -> io::Result<SourceRef> {
    const WHY: &str = "a connection to be made";
    let source = Source::new(fd);
    let begin = || sys::connect(source.raw_fd(), address);
    // Only a Unix socket would block here: the queue of its listener is full.
    let connected = if address.family() == libc::AF_UNIX { retry(until, WHY, begin)? } else { begin()? };
    if !connected {
        source.note_blocked(Direction::Write);
        source.perform_until(Direction::Write, until, WHY, sys::check_connected)?;
    }
    if !sys::NEEDS_NONBLOCKING {
        set_nonblocking(source.raw_fd(), false)?;
    }
    Ok(source)
}

/// Waits for a connection. One is taken a round: others run, and other processes that listen get
/// theirs, before this greenlet takes the next.
#[track_caller]
pub(super) fn accept(listener: &Source) -> io::Result<(OwnedFd, SystemAddr)> {
    let accepted = listener.perform(Direction::Read, "a connection", sys::accept)?;
    hub::with_existing(Hub::use_up_budget);
    Ok(accepted)
}

/// Receives from a byte stream, of which a part means that there is no more for now.
#[track_caller]
#[inline]
pub(super) fn read(source: &Source, buffer: &mut [u8]) -> io::Result<usize> {
    let count = receive(source, buffer, 0)?;
    if count < buffer.len() && count > 0 {
        source.note_drained(Direction::Read);
    }
    Ok(count)
}

#[track_caller]
#[inline]
pub(super) fn receive(source: &Source, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    source.perform(Direction::Read, DATA, |fd| sys::receive(fd, buffer, flags))
}

#[track_caller]
pub(super) fn receive_vectored(source: &Source, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    source.perform(Direction::Read, DATA, |fd| sys::receive_vectored(fd, buffers))
}

#[track_caller]
pub(super) fn receive_from<A: TryFrom<SystemAddr, Error = io::Error>>(
    source: &Source,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<(usize, A)> {
    let (count, address) =
        source.perform(Direction::Read, DATAGRAM, |fd| sys::receive_from(fd, buffer, flags))?;
    Ok((count, address.try_into()?))
}

/// Sends to a byte stream, which takes a part if it has no room for more.
#[track_caller]
#[inline]
pub(super) fn write(source: &Source, buffer: &[u8]) -> io::Result<usize> {
    let count = send(source, buffer)?;
    if count < buffer.len() {
        source.note_drained(Direction::Write);
    }
    Ok(count)
}

#[track_caller]
#[inline]
pub(super) fn send(source: &Source, buffer: &[u8]) -> io::Result<usize> {
    source.perform(Direction::Write, ROOM, |fd| sys::send(fd, buffer))
}

#[track_caller]
pub(super) fn send_vectored(source: &Source, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    source.perform(Direction::Write, ROOM, |fd| sys::send_vectored(fd, buffers))
}

#[track_caller]
pub(super) fn send_to(source: &Source, buffer: &[u8], address: &SystemAddr) -> io::Result<usize> {
    source.perform(Direction::Write, ROOM, |fd| sys::send_to(fd, buffer, address))
}

/// The methods that all sockets with timeouts have.
macro_rules! timeouts {
    ($type:ident, $reading:literal, $writing:literal) => {
        impl $type {
            #[doc = concat!("How long ", $reading, " may wait; `None` for as long as it takes.")]
            /// What takes longer fails with [`TimedOut`](::std::io::ErrorKind::TimedOut), on every system. (std's fails
            /// with `WouldBlock` on Linux.)
            ///
            /// # Errors
            ///
            /// If the timeout is zero.
            pub fn set_read_timeout(&self, timeout: Option<::std::time::Duration>) -> ::std::io::Result<()> {
                self.source.set_timeout($crate::hub::Direction::Read, timeout)
            }

            #[doc = concat!("How long ", $writing, " may wait; `None` for as long as it takes.")]
            /// What takes longer fails with [`TimedOut`](::std::io::ErrorKind::TimedOut), on every system. (std's fails
            /// with `WouldBlock` on Linux.)
            ///
            /// # Errors
            ///
            /// If the timeout is zero.
            pub fn set_write_timeout(&self, timeout: Option<::std::time::Duration>) -> ::std::io::Result<()> {
                self.source.set_timeout($crate::hub::Direction::Write, timeout)
            }

            #[doc = concat!("How long ", $reading, " may wait.")]
            ///
            /// # Errors
            ///
            /// None; the result is for likeness with std.
            pub fn read_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
                Ok(self.source.timeout($crate::hub::Direction::Read))
            }

            #[doc = concat!("How long ", $writing, " may wait.")]
            ///
            /// # Errors
            ///
            /// None; the result is for likeness with std.
            pub fn write_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
                Ok(self.source.timeout($crate::hub::Direction::Write))
            }
        }
    };
}

pub(super) use timeouts;
