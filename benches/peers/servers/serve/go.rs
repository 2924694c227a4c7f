//! Go's servers, where there is Go: a program of its own (`go/main.go`), which takes over the process.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::golang;
use crate::machine::check;
use crate::service::Service;

pub const NAME: &str = "go";

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/go/main.go");
const PROGRAM: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-servers");

/// Where the program looks for its socket.
const LISTENER: libc::c_int = 3;

/// Builds the program; false if there is no Go.
pub fn build() -> bool {
    golang::build(SOURCE, PROGRAM)
}

/// Serves with one thread that runs Go's code at a time.
pub fn serve(listener: TcpListener, service: Service) -> io::Result<()> {
    if listener.as_raw_fd() == LISTENER {
        // SAFETY: the descriptor is open, and stays so in the program that follows.
        check(unsafe { libc::fcntl(LISTENER, libc::F_SETFD, 0) })?;
    } else {
        // SAFETY: the descriptor is open. Whoever has the other one is about to be gone.
        check(unsafe { libc::dup2(listener.as_raw_fd(), LISTENER) })?;
    }
    Err(Command::new(PROGRAM).arg(service.name()).env("GOMAXPROCS", "1").exec())
}
