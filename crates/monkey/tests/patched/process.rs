//! Waiting for children.

use std::io::Read;
use std::os::fd::IntoRawFd;
use std::process::{Command, Stdio};
use std::ptr;

use greenlet::spawn;

use crate::inside::Inside;
use crate::{join, patched};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn the_output_of_ten_children_comes_at_the_same_time() {
    let most = patched(|| {
        let inside = Inside::default();
        let outputs = join((0..10).map(|n| {
            let inside = inside.clone();
            spawn(move || {
                inside.enter();
                let output = shell(&format!("sleep 0.1; echo {n}; exit {n}")).output().unwrap();
                inside.leave();
                (output.status.code(), output.stdout)
            })
        }));
        for (n, output) in outputs.into_iter().enumerate() {
            assert_eq!(output, (Some(n as i32), format!("{n}\n").into_bytes()));
        }
        inside.most()
    });
    assert_eq!(most, 10);
}

#[test]
fn a_child_is_waited_for_by_every_function_that_can() {
    type Wait = fn(libc::pid_t) -> i32;
    const WAITS: [Wait; 5] = [
        |pid| {
            let mut status = 0;
            assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
            libc::WEXITSTATUS(status)
        },
        |pid| {
            let mut status = 0;
            assert_eq!(unsafe { libc::wait4(pid, &mut status, 0, ptr::null_mut()) }, pid);
            libc::WEXITSTATUS(status)
        },
        |pid| {
            let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
            assert_eq!(unsafe { libc::waitid(libc::P_PID, pid as u32, &mut about, libc::WEXITED) }, 0);
            assert_eq!(unsafe { about.si_pid() }, pid);
            unsafe { about.si_status() }
        },
        |pid| {
            let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
            let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
            assert_eq!(unsafe { libc::waitid(libc::P_PIDFD, fd as u32, &mut about, libc::WEXITED) }, 0);
            unsafe { libc::close(fd as i32) };
            unsafe { about.si_status() }
        },
        // Any of a group, of which there is no descriptor.
        |pid| {
            let mut status = 0;
            assert_eq!(unsafe { libc::waitpid(-pid, &mut status, 0) }, pid);
            libc::WEXITSTATUS(status)
        },
    ];
    patched(|| {
        use std::os::unix::process::CommandExt;
        // An emulator runs a `vfork` as a `fork`: then the child is not in its group yet.
        let emulated = std::env::var_os("CROSS_RUNNER").is_some();
        for (n, wait) in WAITS.into_iter().take(WAITS.len() - usize::from(emulated)).enumerate() {
            #[expect(clippy::zombie_processes, reason = "by `wait`, below")]
            let mut child =
                shell("read line; exit 7").stdin(Stdio::piped()).process_group(0).spawn().unwrap();
            let pid = child.id() as libc::pid_t;
            let waiting = spawn(move || wait(pid));
            std::thread::yield_now();
            assert!(!waiting.is_finished(), "{n}: others run meanwhile");
            drop(child.stdin.take());
            assert_eq!(waiting.join().unwrap(), 7, "{n}");
        }
    });
}

#[test]
fn a_look_does_not_wait() {
    patched(|| {
        let mut child = shell("read line").stdin(Stdio::piped()).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let stdin = child.stdin.take();
        drop(stdin);
        assert!(!child.wait().unwrap().success());
        assert_eq!(unsafe { libc::waitpid(child.id() as i32, ptr::null_mut(), 0) }, -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ECHILD));
    });
}

#[test]
fn a_child_that_is_talked_to_is_heard() {
    patched(|| {
        let mut child = shell("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let data = vec![b'x'; 1 << 20];
        let expected = data.clone();
        let writing = spawn(move || std::io::Write::write_all(&mut input, &data));
        let mut all = Vec::new();
        output.read_to_end(&mut all).unwrap();
        assert!(all == expected);
        writing.join().unwrap().unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_pidfd_that_does_not_block_is_not_waited_for() {
    patched(|| {
        let mut child = shell("read line").stdin(Stdio::piped()).spawn().unwrap();
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), libc::O_NONBLOCK) };
        let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
        assert_eq!(unsafe { libc::waitid(libc::P_PIDFD, fd as u32, &mut about, libc::WEXITED) }, -1);
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
        unsafe { libc::close(fd as i32) };
        child.wait().unwrap();
    });
}

/// No descriptor tells of that.
#[test]
fn a_tracer_hears_of_a_stop() {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return; // An emulator cannot be traced so.
    }
    patched(|| {
        let [told, tell] =
            std::io::pipe().map(|(reader, writer)| [reader.into_raw_fd(), writer.into_raw_fd()]).unwrap();
        let child = unsafe { libc::fork() };
        if child == 0 {
            // Only system calls: other threads may have locks.
            unsafe {
                libc::syscall(libc::SYS_read, told, [0_u8].as_mut_ptr(), 1);
                libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0);
                libc::raise(libc::SIGSTOP);
                libc::_exit(0);
            }
        }
        let waiting = spawn(move || {
            let mut status = 0;
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            status
        });
        std::thread::yield_now();
        assert_eq!(unsafe { libc::write(tell, [0_u8].as_ptr().cast(), 1) }, 1);
        let status = waiting.join().unwrap();
        assert!(libc::WIFSTOPPED(status), "{status:x}");
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, ptr::null_mut(), 0);
            libc::close(told);
            libc::close(tell);
        }
    });
}
