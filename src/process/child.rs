//! A process that was started.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use super::exit::Exit;
use super::{ExitStatus, Output};
use crate::os::{Interest, PipeReader, PipeWriter, PollFd, poll};
use crate::time::deadline;

/// A process that was started: [`std::process::Child`], for which only the calling greenlet waits.
///
/// As in std, dropping it leaves the process to itself, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was chosen. A process that has ended stays a zombie
/// until it is waited for, or its parent ends.
///
/// ```
/// use std::io::{Read, Write};
/// use greenlet::process::{Command, Stdio};
///
/// # fn main() -> std::io::Result<()> {
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().unwrap().write_all(b"through the cat")?;
/// let mut text = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut text)?;
/// assert_eq!(text, "through the cat");
/// assert!(child.wait()?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    /// Writes to its standard input, if that was chosen to be a pipe.
    pub stdin: Option<PipeWriter>,
    /// Reads from its standard output, if that was chosen to be a pipe.
    pub stdout: Option<PipeReader>,
    /// Reads from its standard error, if that was chosen to be a pipe.
    pub stderr: Option<PipeReader>,
    /// `None` once somebody else waits for it.
    inner: Option<std::process::Child>,
    exit: Option<Exit>,
    kill_on_drop: bool,
}

impl Child {
    pub(super) fn new(mut inner: std::process::Child, kill_on_drop: bool) -> io::Result<Self> {
        let stdin = inner.stdin.take().map(OwnedFd::from);
        let stdout = inner.stdout.take().map(OwnedFd::from);
        let stderr = inner.stderr.take().map(OwnedFd::from);
        Ok(Self {
            stdin: stdin.map(TryInto::try_into).transpose()?,
            stdout: stdout.map(TryInto::try_into).transpose()?,
            stderr: stderr.map(TryInto::try_into).transpose()?,
            inner: Some(inner),
            exit: None,
            kill_on_drop,
        })
    }

    fn inner(&mut self) -> &mut std::process::Child {
        self.inner.as_mut().expect("only a drop takes it")
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.inner.as_ref().expect("only a drop takes it").id()
    }

    /// Has the system end the process (`SIGKILL`). Nothing happens if it was waited for already.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.inner().kill()
    }

    /// How the process has ended, if it has.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for, because somebody else did.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner().try_wait()
    }

    /// Closes its standard input, so that it does not wait for more, and waits for its end. May be
    /// called again.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for, because somebody else did; or in a destructor while the greenlet unwinds,
    /// where nothing that still runs can be waited for.
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.wait_until(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits for its end for at most `timeout`; `None` if it still runs then. Its standard input stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        self.wait_until(deadline(Some(timeout)))
    }

    #[track_caller]
    fn wait_until(&mut self, until: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        if self.exit.is_none() {
            self.exit = Some(Exit::of(self.id())?);
        }
        if let Some(exit) = &self.exit
            && !exit.wait(until)?
        {
            return Ok(None);
        }
        // It has ended, so this does not wait, or only until the system has finished with it.
        self.inner().wait().map(Some)
    }

    /// Closes its standard input, collects what it writes to those of its streams that are pipes, and
    /// waits for its end.
    ///
    /// # Errors
    ///
    /// If it cannot be read from or waited for.
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let [stdout, stderr] = read_all([self.stdout.take(), self.stderr.take()])?;
        Ok(Output { status: self.wait()?, stdout, stderr })
    }
}

/// Reads all streams to their ends, whichever has something: a process may wait for one to be read
/// while it writes to it.
#[track_caller]
fn read_all<const N: usize>(mut streams: [Option<PipeReader>; N]) -> io::Result<[Vec<u8>; N]> {
    let mut read = std::array::from_fn(|_| Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    while streams.iter().any(Option::is_some) {
        let open = streams.iter().enumerate().filter_map(|(n, stream)| Some((n, stream.as_ref()?)));
        let (places, mut fds): (Vec<usize>, Vec<PollFd<'_>>) =
            open.map(|(n, stream)| (n, PollFd::new(stream, Interest::Read))).unzip();
        poll(&mut fds, None)?;
        let ready: Vec<usize> =
            fds.iter().zip(places).filter(|(fd, _)| fd.is_ready()).map(|(_, n)| n).collect();
        for n in ready {
            let Some(stream) = &mut streams[n] else { continue };
            match stream.read(&mut buffer)? {
                0 => streams[n] = None,
                count => read[n].extend_from_slice(&buffer[..count]),
            }
        }
    }
    Ok(read)
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop && matches!(self.try_wait(), Ok(None)) && self.kill().is_ok() {
            end(self.inner.take());
        }
    }
}

/// Waits for a process that was killed, somewhere where that holds nobody up.
fn end(child: Option<std::process::Child>) {
    let mut child = child;
    let reap = move || child.as_mut().map(std::process::Child::wait);
    // Without a thread it stays a zombie until this process ends.
    let _ = thread::Builder::new().name("greenlet-reaper".into()).spawn(reap);
}
