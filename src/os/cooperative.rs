//! Streams whose mode is not ours to change.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::fd::{wait_readable, wait_writable};

/// Reads and writes a descriptor of any kind, in whichever mode it is, such that only the calling
/// greenlet waits (gevent's `FileObject`, eventlet's `GreenPipe`).
///
/// It is meant for what others share: standard input and output, a terminal, a descriptor that was
/// inherited. Their mode belongs to everybody who has them, so it is left alone: before each
/// operation the greenlet waits until that would not block. Where two processes read from one
/// terminal or pipe, the other may be faster, and then the read blocks the thread.
///
/// A regular file is always ready: reading one blocks the thread for as long as the disk takes.
///
/// ```
/// use std::io::{BufRead, BufReader};
/// use greenlet::os::Cooperative;
///
/// # fn main() -> std::io::Result<()> {
/// let lines = BufReader::new(Cooperative::new(std::fs::File::open("Cargo.toml")?)).lines();
/// assert_eq!(lines.map_while(Result::ok).next().as_deref(), Some("[package]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cooperative<F> {
    inner: F,
    /// How much may be written at once without blocking, when the system says that something may.
    room: usize,
}

/// Standard input, without std's buffer: put a [`BufReader`](io::BufReader) around it for lines.
pub fn stdin() -> Cooperative<io::Stdin> {
    Cooperative::new(io::stdin())
}

/// Standard output, without std's buffer. What was printed but not flushed comes later.
pub fn stdout() -> Cooperative<io::Stdout> {
    Cooperative::new(io::stdout())
}

/// Standard error.
pub fn stderr() -> Cooperative<io::Stderr> {
    Cooperative::new(io::stderr())
}

impl<F: AsFd> Cooperative<F> {
    /// Wraps whatever has a descriptor.
    pub fn new(inner: F) -> Self {
        // Whatever is not a file keeps what `poll` says for this much, and may block with more.
        let room = if is_file(inner.as_fd()) { usize::MAX } else { libc::PIPE_BUF };
        Self { inner, room }
    }

    /// What it wraps.
    pub fn get_ref(&self) -> &F {
        &self.inner
    }

    /// Unwraps it, as it was.
    pub fn into_inner(self) -> F {
        self.inner
    }

    /// Tries `operation` whenever `wait` says that it would not block.
    #[track_caller]
    fn perform(
        &self,
        wait: impl Fn(&Self) -> io::Result<()>,
        operation: impl Fn(i32) -> libc::ssize_t,
    ) -> io::Result<usize> {
        loop {
            wait(self)?;
            if let Ok(count) = usize::try_from(operation(self.as_fd().as_raw_fd())) {
                return Ok(count);
            }
            let error = io::Error::last_os_error();
            // Somebody else was faster.
            if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                return Err(error);
            }
        }
    }
}

fn is_file(fd: BorrowedFd<'_>) -> bool {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for what it writes.
    let known = unsafe { libc::fstat(fd.as_raw_fd(), about.as_mut_ptr()) } == 0;
    // SAFETY: written by the call that succeeded.
    known && unsafe { about.assume_init() }.st_mode & libc::S_IFMT == libc::S_IFREG
}

impl<F: AsFd> Read for Cooperative<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (start, len) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: the buffer is as long as it says.
        let read = |fd| unsafe { libc::read(fd, start.cast(), len) };
        self.perform(|this| wait_readable(this, None), read)
    }
}

impl<F: AsFd> Write for Cooperative<F> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.room);
        // SAFETY: the buffer is at least as long.
        let write = |fd| unsafe { libc::write(fd, buffer.as_ptr().cast(), len) };
        self.perform(|this| wait_writable(this, None), write)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: AsFd> AsFd for Cooperative<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
