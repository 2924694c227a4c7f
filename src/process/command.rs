//! A process to be started.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::{Child, ExitStatus, Output, Stdio};
use crate::hub;

/// A process to be started: [`std::process::Command`], whose child is waited for by the calling
/// greenlet alone.
///
/// What is particular to Unix is set through [`as_std_mut`](Self::as_std_mut).
///
/// ```
/// use greenlet::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// let both: Vec<_> = ["one", "two"]
///     .map(|word| greenlet::spawn(move || Command::new("echo").arg(word).output()))
///     .into();
/// for (task, expected) in both.into_iter().zip(["one\n", "two\n"]) {
///     assert_eq!(task.join().unwrap()?.stdout, expected.as_bytes());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    chosen: Streams,
    kill_on_drop: bool,
}

/// The streams of which it was said what they are to be.
#[derive(Clone, Copy, Debug, Default)]
struct Streams {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// A program to run, found by `PATH` unless its name has a slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        std::process::Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.inner.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env(name, value);
        self
    }

    /// Sets environment variables.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        self.inner.envs(variables);
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env_remove(name);
        self
    }

    /// Starts from an empty environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.inner.env_clear();
        self
    }

    /// Sets the folder in which it starts.
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.inner.current_dir(folder);
        self
    }

    /// Sets its standard input. A pipe or socket of this crate goes through `into_std`.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.inner.stdin(stdin);
        self.chosen.stdin = true;
        self
    }

    /// Sets its standard output.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.inner.stdout(stdout);
        self.chosen.stdout = true;
        self
    }

    /// Sets its standard error.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.inner.stderr(stderr);
        self.chosen.stderr = true;
        self
    }

    /// Whether the process is killed when its [`Child`] is dropped before it was waited for. As in std,
    /// it is not, unless chosen.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// Starts the process. Its streams are those of this process, unless chosen.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(self.inner.spawn()?, self.kill_on_drop)
    }

    /// Starts the process and waits for its end. If the waiting greenlet is interrupted, the process is
    /// killed (Python's `subprocess.call`).
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or waited for. In a destructor while the greenlet unwinds, nothing
    /// can be waited for, and nothing is started.
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        hub::check_may_wait()?;
        Child::new(self.inner.spawn()?, true)?.wait()
    }

    /// Starts the process, collects what it writes to standard output and standard error, and waits for
    /// its end. Standard input is empty. Streams that were chosen stay as they are, unless it was on std's
    /// command, which does not tell: then they are as here, and inherited from then on. If the waiting greenlet
    /// is interrupted, the process is killed (Python's `subprocess.run`).
    ///
    /// # Errors
    ///
    /// If the program cannot be started, read from, or waited for; and as [`status`](Self::status).
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        hub::check_may_wait()?;
        self.set_unchosen(Stdio::null, Stdio::piped);
        let child = self.inner.spawn();
        self.set_unchosen(Stdio::inherit, Stdio::inherit);
        Child::new(child?, true)?.wait_with_output()
    }

    /// Sets the streams of which it was not said what they are to be.
    fn set_unchosen(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        if !self.chosen.stdin {
            self.inner.stdin(input());
        }
        if !self.chosen.stdout {
            self.inner.stdout(output());
        }
        if !self.chosen.stderr {
            self.inner.stderr(output());
        }
    }

    /// std's command within, to be looked at.
    pub fn as_std(&self) -> &std::process::Command {
        &self.inner
    }

    /// std's command within, to be changed by [`CommandExt`](std::os::unix::process::CommandExt). Its streams are
    /// better chosen here, for [`output`](Self::output).
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.inner
    }
}

impl From<std::process::Command> for Command {
    /// Streams that were chosen there have to be chosen here as well, for [`output`](Command::output).
    fn from(inner: std::process::Command) -> Self {
        Self { inner, chosen: Streams::default(), kill_on_drop: false }
    }
}
