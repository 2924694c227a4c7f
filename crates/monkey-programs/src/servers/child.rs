//! A server that is a program of its own, and ends with this one.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use greenlet::spawn;

/// A program is not on this machine.
pub struct Missing(pub &'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no {} here: `eval \"$(.ci/servers)\"` finds one, or unpacks it", self.0)
    }
}

/// What a `main` that returns it prints.
impl fmt::Debug for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Missing {}

/// The program of this name: in the folder or under the path that the variable has, or in one of `PATH`.
pub(super) fn find(variable: &str, name: &'static str) -> Result<PathBuf, Missing> {
    let told = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).map(|folder| folder.join(name));
    let told = told.map(|told| if told.is_dir() { told.join(name) } else { told });
    told.into_iter().chain(folders).find(|program| program.is_file()).ok_or(Missing(name))
}

/// A folder for what a server keeps, which goes with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("monkey-programs-{name}-{}", std::process::id()));
        fs::create_dir(&folder)?;
        if let Some(user) = other_user() {
            chown(&folder, Some(user), Some(user))?;
        }
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whom to run servers as, if this is root, as whom they do not run: nobody.
fn other_user() -> Option<u32> {
    const NOBODY: u32 = 65534;
    // SAFETY: takes nothing.
    (unsafe { libc::geteuid() } == 0).then_some(NOBODY)
}

/// A command that ends, by the signal, when this process does.
pub(super) fn command(program: &Path, folder: &Folder, signal: libc::c_int) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder.path()).stdin(Stdio::null());
    if let Some(user) = other_user() {
        command.uid(user).gid(user);
    }
    // SAFETY: a system call, and nothing else.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, signal);
            Ok(())
        });
    }
    command
}

/// A port of 127.0.0.1 that nobody has now.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A server that runs.
pub(super) struct Server {
    child: Child,
    signal: libc::c_int,
}

impl Server {
    /// Starts it, and waits until it prints a line with `sign` in it.
    pub(super) fn start(mut command: Command, sign: &str, signal: libc::c_int) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut server = Self { child: command.stdout(writer.try_clone()?).stderr(writer).spawn()?, signal };
        drop(command); // which has the pipe's other end as well
        let mut said = String::new();
        let mut lines = BufReader::new(reader);
        while !said.contains(sign) {
            if lines.read_line(&mut said)? == 0 {
                return Err(io::Error::other(format!("{}\n{said}", server.child.wait()?)));
            }
        }
        // It must not find the pipe full, nor closed.
        drop(spawn(move || io::copy(&mut lines.by_ref(), &mut io::sink())));
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: takes no memory, and the child has not been waited for.
        unsafe { libc::kill(self.child.id() as libc::pid_t, self.signal) };
        let _ = self.child.wait();
    }
}
