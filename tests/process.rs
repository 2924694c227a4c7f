//! Child processes. Numbers are those of the statements and of the bugs in the studies of gevent and
//! eventlet that the scheduler is held to: "gevent 108", "E18".

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use greenlet::os::pipe;
use greenlet::process::{Child, Command, Stdio};
use greenlet::{TimeoutError, join_all, spawn, with_timeout, yield_now};

const MS: Duration = Duration::from_millis(1);

/// A process that runs until its standard input is closed.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

// gevent 108, eventlet 78, E18
#[test]
fn only_the_greenlet_that_waits_for_a_process_waits() {
    let mut child = cat();
    let stdin = child.stdin.take();
    let waiter = spawn(move || child.wait().unwrap());
    yield_now();
    assert!(!waiter.is_finished());
    drop(stdin);
    assert!(waiter.join().unwrap().success());
}

#[test]
fn many_processes_are_waited_for_at_once() {
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            spawn(move || Command::new("sh").args(["-c", &format!("exit {n}")]).status().unwrap().code())
        })
        .collect();
    join_all(&tasks, None);
    let codes: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(codes, (0..20).map(Some).collect::<Vec<_>>());
}

#[test]
fn a_process_that_still_runs_has_no_status_yet() {
    let mut child = cat();
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(child.wait_timeout(MS).unwrap(), None);
    assert_eq!(
        with_timeout(MS, || child.wait_timeout(Duration::from_secs(1000))).unwrap_err(),
        TimeoutError::Elapsed
    );
    assert!(child.stdin.is_some(), "who waits for a limited time may still have something to say");
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    assert_eq!(child.wait().unwrap(), status, "it may be asked again");
    assert_eq!(child.try_wait().unwrap(), Some(status));
    child.kill().unwrap();
}

#[test]
fn what_is_written_to_both_streams_at_once_is_collected() {
    let script = "head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2; head -c 100000 /dev/zero";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success());
    assert_eq!((output.stdout.len(), output.stderr.len()), (400_000, 200_000));
}

#[test]
fn output_has_an_empty_input_and_leaves_chosen_streams_alone() {
    let mut command = Command::new("cat");
    assert_eq!(command.output().unwrap().stdout, b"");
    let (reader, writer) = pipe().unwrap();
    (&writer).write_all(b"chosen").unwrap();
    drop(writer);
    command.stdin(reader.into_std().unwrap());
    assert_eq!(command.output().unwrap().stdout, b"chosen");
    let discarded = Command::new("echo").arg("x").stdout(Stdio::null()).output().unwrap();
    assert_eq!(discarded.stdout, b"");
}

#[test]
fn a_conversation_with_a_process() {
    let mut child = cat();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for word in ["one", "two", "three"] {
        stdin.write_all(word.as_bytes()).unwrap();
        let mut answer = vec![0; word.len()];
        stdout.read_exact(&mut answer).unwrap();
        assert_eq!(answer, word.as_bytes());
    }
    drop(stdin);
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    assert!(child.wait().unwrap().success());
}

#[test]
fn waiting_closes_the_standard_input() {
    let mut child = cat();
    assert!(child.wait().unwrap().success());
    let child = cat();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn arguments_environment_and_folder_reach_the_process() {
    let script = r#"echo "$1 $GREENLET_A $GREENLET_B${GREENLET_C-}" && pwd"#;
    let output = Command::new("sh")
        .args(["-c", script, "sh", "argument"])
        .env("GREENLET_A", "a")
        .envs([("GREENLET_B", "b"), ("GREENLET_C", "c")])
        .env_remove("GREENLET_C")
        .current_dir("/")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "argument a b\n/\n");
    let cleared = Command::new("/bin/sh").args(["-c", "echo ${HOME-none}"]).env_clear().output().unwrap();
    assert_eq!(cleared.stdout, b"none\n");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    let result = Command::new("/no/such/program").status();
    // An emulator learns too late that there is no such program.
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return assert_eq!(result.unwrap().code(), Some(127));
    }
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// When the last process that has the other end is gone, a pipe ends.
#[test]
fn a_process_is_killed_if_nobody_waits_for_it_any_more_and_that_was_chosen() {
    let sleeper = |(reader, writer): (greenlet::os::PipeReader, greenlet::os::PipeWriter)| {
        let mut command = Command::new("sleep");
        command.arg("1000").stdout(writer.into_std().unwrap());
        (command, reader)
    };
    let (mut command, mut ends) = sleeper(pipe().unwrap());
    let child = command.kill_on_drop(true).spawn().unwrap();
    drop(command);
    drop(child);
    assert_eq!(ends.read(&mut [0]).unwrap(), 0);

    let (mut command, mut ends) = sleeper(pipe().unwrap());
    let late = with_timeout(MS, move || command.status().map(drop));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    assert_eq!(ends.read(&mut [0]).unwrap(), 0);

    let (mut command, mut ends) = sleeper(pipe().unwrap());
    let task = spawn(move || command.output().map(drop));
    yield_now();
    task.kill().unwrap();
    assert!(task.join().unwrap_err().is_killed());
    assert_eq!(ends.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_process_survives_its_handle_unless_chosen_otherwise() {
    let mut child = cat();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    drop(child);
    stdin.write_all(b"still there").unwrap();
    assert_eq!(stdout.read(&mut [0; 100]).unwrap(), 11);
}

#[test]
fn a_wait_that_was_killed_can_be_repeated() {
    let mut child = cat();
    let stdin = child.stdin.take();
    let child = std::rc::Rc::new(std::cell::RefCell::new(child));
    let waiter = spawn({
        let child = child.clone();
        move || child.borrow_mut().wait().unwrap()
    });
    yield_now();
    waiter.kill().unwrap();
    waiter.wait(None);
    assert!(child.borrow_mut().wait_timeout(MS).unwrap().is_none());
    drop(stdin);
    assert!(child.borrow_mut().wait().unwrap().success());
}

// G9: of an original, the main thread alone
#[test]
fn any_thread_may_wait_for_a_process() {
    let status = std::thread::spawn(|| Command::new("true").status().unwrap()).join().unwrap();
    assert!(status.success());
}

// gevent 109
#[test]
fn the_children_of_others_are_left_to_them() {
    let mut theirs = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
    assert!(Command::new("true").status().unwrap().success());
    assert_eq!(theirs.wait().unwrap().code(), Some(7));
    // And what was taken from us is an error.
    let mut ours = cat();
    drop(ours.stdin.take());
    let mut status = 0;
    // SAFETY: the status is ours to write to.
    assert!(unsafe { libc::waitpid(ours.id() as i32, &mut status, 0) } > 0);
    assert_eq!(ours.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
}

// E13
#[cfg(target_os = "linux")]
#[test]
fn a_process_gets_its_streams_in_blocking_mode() {
    let show = "cat /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2 | grep flags";
    let (reader, writer) = pipe().unwrap();
    let output = Command::new("sh")
        .args(["-c", show])
        .stdin(reader.into_std().unwrap())
        .stderr(writer.into_std().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let flags: Vec<u32> = text
        .lines()
        .map(|line| u32::from_str_radix(line.split_whitespace().last().unwrap(), 8).unwrap())
        .collect();
    assert_eq!(flags.len(), 3, "{text}");
    assert!(flags.iter().all(|flags| flags & libc::O_NONBLOCK as u32 == 0), "{text}");
}
