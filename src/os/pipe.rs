//! Pipes.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use super::{descriptor, reads, writes};
use crate::hub::{Direction, SourceRef};

/// The end of a pipe that is read from, with the methods of [`std::io::PipeReader`], on which only the
/// calling greenlet waits.
#[derive(Clone)]
pub struct PipeReader {
    source: SourceRef,
}

/// The end of a pipe that is written to, with the methods of [`std::io::PipeWriter`], on which only the
/// calling greenlet waits.
#[derive(Clone)]
pub struct PipeWriter {
    source: SourceRef,
}

/// Makes a pipe (gevent's and eventlet's `os.pipe`).
///
/// Each end is in non-blocking mode, and set back when it is given to std or to a child process.
///
/// # Errors
///
/// If the process or the system is out of descriptors.
///
/// ```
/// use std::io::{Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let (mut reader, mut writer) = greenlet::os::pipe()?;
/// drop(greenlet::spawn(move || writer.write_all(b"through the pipe")));
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "through the pipe");
/// # Ok(())
/// # }
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader.try_into()?, writer.try_into()?))
}

// A pipe has no calls that could be asked not to block.
descriptor!(PipeReader, io::PipeReader, "pipe's reading end", true);
descriptor!(PipeWriter, io::PipeWriter, "pipe's writing end", true);
reads!(PipeReader);
writes!(PipeWriter);

impl PipeReader {
    #[track_caller]
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_by(|mut pipe| pipe.read(buffer))
    }

    #[track_caller]
    fn receive_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_by(|mut pipe| pipe.read_vectored(buffers))
    }

    /// Less than was asked for is not all: a read stops at the end of a packet, of a terminal's line, and of
    /// the buffers that the system takes at once. So the next read asks, at the cost of a call that may be in
    /// vain.
    #[track_caller]
    fn read_by(&self, mut read: impl FnMut(&io::PipeReader) -> io::Result<usize>) -> io::Result<usize> {
        self.source.perform(Direction::Read, "data from a pipe", |_| read(&self.std()))
    }
}

impl PipeWriter {
    #[track_caller]
    fn transmit(&self, buffer: &[u8]) -> io::Result<usize> {
        self.write_by(|mut pipe| pipe.write(buffer))
    }

    #[track_caller]
    fn transmit_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_by(|mut pipe| pipe.write_vectored(buffers))
    }

    #[track_caller]
    fn write_by(&self, mut write: impl FnMut(&io::PipeWriter) -> io::Result<usize>) -> io::Result<usize> {
        self.source.perform(Direction::Write, "room in a pipe", |_| write(&self.std()))
    }
}
