//! A server in a process of its own, seen from outside.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::machine;
use crate::service::Service;

pub struct Server {
    pub address: SocketAddr,
    /// Of the server itself, which may run under another program.
    pid: libc::pid_t,
    child: Child,
}

impl Server {
    /// Starts it on a core of its own, if there is one for it.
    pub fn start(contestant: &str, service: Service, core: Option<usize>) -> Self {
        Self::start_under(&[], contestant, service, core)
    }

    /// Starts it under another program, such as strace.
    pub fn start_under(program: &[&str], contestant: &str, service: Service, core: Option<usize>) -> Self {
        let this = env::current_exe().expect("the path of this program");
        let this = this.to_str().expect("a path in UTF-8");
        let words = [program, &[this, "--serve", contestant, "--service", service.name()]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdout(Stdio::piped());
        if let Some(core) = core {
            command.args(["--core", &core.to_string()]);
        }
        let mut child = command.spawn().expect("a process");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut line).expect("a line from the server");
        let (address, pid) = line.trim().split_once(' ').expect("an address and a process");
        let (address, pid) = (address.parse().expect("an address"), pid.parse().expect("a number"));
        if let Some(core) = core {
            assert_eq!(machine::allowed(pid), [core], "the server is where the load is not");
        }
        Self { address, pid, child }
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> Duration {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both write to variables of our own.
        let failed = unsafe {
            libc::clock_getcpuclockid(self.pid, &mut clock) != 0 || libc::clock_gettime(clock, &mut time) != 0
        };
        assert!(!failed, "the server has a clock");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// Bytes of memory that it has.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kilobytes * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: sends a signal to a process that we started and have not waited for.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        self.child.wait().expect("it ends");
    }
}
