//! What happens to calls of a greenlet that is killed, or out of time.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use greenlet::{spawn, with_timeout};

use crate::patched;

const LONG: Duration = Duration::from_secs(3600);

/// Kills a greenlet in the midst of a call; what that returned.
fn killed<R: 'static>(call: impl FnOnce() -> R + 'static) -> R {
    patched(|| {
        let answer = Rc::new(Cell::new(None));
        let returned = answer.clone();
        let task = spawn(move || returned.set(Some(call())));
        thread::yield_now();
        assert!(!task.is_finished(), "it waits");
        task.kill().unwrap();
        task.wait(None);
        answer.take().expect("the call returned")
    })
}

fn canceled<R>(result: std::io::Result<R>) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED))
}

#[test]
fn a_sleep_is_over_early() {
    killed(|| thread::sleep(LONG));
}

#[test]
fn a_read_fails() {
    assert!(killed(|| {
        let (mut a, _b) = UnixStream::pair().unwrap();
        canceled(a.read(&mut [0])) && canceled(a.read(&mut [0]))
    }));
    assert!(killed(|| {
        let (mut reader, _writer) = std::io::pipe().unwrap();
        canceled(reader.read(&mut [0]))
    }));
}

#[test]
fn a_write_says_how_much_it_has_written_and_then_fails() {
    assert!(killed(|| {
        let (mut a, _b) = UnixStream::pair().unwrap();
        let data = vec![0; 16 << 20];
        a.write(&data).is_ok_and(|len| len > 0 && len < data.len()) && canceled(a.write(&data))
    }));
}

#[test]
fn an_accept_fails() {
    assert!(killed(|| canceled(TcpListener::bind("127.0.0.1:0").unwrap().accept())));
}

#[test]
fn a_poll_fails() {
    assert!(killed(|| {
        let result = unsafe { libc::poll(std::ptr::null_mut(), 0, -1) };
        result == -1 && canceled(Err::<(), _>(std::io::Error::last_os_error()))
    }));
}

#[test]
fn a_pause_fails() {
    assert!(killed(|| {
        let result = unsafe { libc::pause() };
        result == -1 && canceled(Err::<(), _>(std::io::Error::last_os_error()))
    }));
}

#[test]
fn a_wait_for_a_child_fails_and_the_child_can_be_waited_for_again() {
    let mut child = killed(|| {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        assert!(canceled(child.wait()));
        child.stdin = stdin;
        child
    });
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wait_for_a_condition_wakes_once_for_no_reason() {
    let wakes = killed(|| {
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        let guard = mutex.lock().unwrap();
        drop(condition.wait(guard).unwrap());
        1
    });
    assert_eq!(wakes, 1);
}

#[test]
fn a_lock_is_waited_for_to_the_end() {
    patched(|| {
        let lock = Rc::new(Mutex::new(0));
        let guard = lock.lock().unwrap();
        let other = lock.clone();
        let task = spawn(move || {
            *other.lock().unwrap() += 1;
        });
        thread::yield_now();
        task.kill().unwrap();
        thread::sleep(Duration::from_millis(3));
        assert!(!task.is_finished());
        drop(guard);
        task.wait(None);
        assert_eq!(*lock.lock().unwrap(), 1, "it got the lock");
    });
}

#[test]
fn one_that_ignores_the_errors_does_not_stop_the_others() {
    patched(|| {
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let task = spawn(move || {
            while !stopped.get() {
                thread::sleep(LONG);
            }
        });
        thread::yield_now();
        task.kill().unwrap();
        thread::sleep(Duration::from_millis(3));
        stop.set(true);
        task.wait(None);
    });
}

#[test]
fn the_next_wait_of_greenlets_own_ends_it() {
    patched(|| {
        let beyond = Rc::new(Cell::new(false));
        let reached = beyond.clone();
        let task = spawn(move || {
            thread::sleep(LONG);
            reached.set(true);
            greenlet::sleep(LONG);
            unreachable!("it unwinds from there");
        });
        thread::yield_now();
        task.kill().unwrap();
        assert!(task.join().unwrap_err().is_killed());
        assert!(beyond.get());
    });
}

#[test]
fn a_timeout_ends_a_call_and_what_comes_after_it_is_as_ever() {
    patched(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        let result = with_timeout(Duration::from_millis(3), || (&a).read(&mut [0]));
        assert!(canceled(result.unwrap()), "the call returns, so the scope has a value");
        let start = std::time::Instant::now();
        thread::sleep(Duration::from_millis(3));
        assert!(start.elapsed() >= Duration::from_millis(3), "sleeps are whole again");
    });
}

#[test]
fn what_is_written_while_a_greenlet_unwinds_is_an_error_where_it_would_wait() {
    struct Writer(UnixStream, Rc<Cell<bool>>);
    impl Drop for Writer {
        fn drop(&mut self) {
            let data = vec![0; 16 << 20];
            let _ = self.0.write(&data);
            self.1.set(canceled(self.0.write(&data)));
        }
    }
    let failed = patched(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        let failed = Rc::new(Cell::new(false));
        let writer = Writer(a, failed.clone());
        let task = spawn(move || {
            let _writer = writer;
            greenlet::sleep(LONG);
        });
        greenlet::yield_now();
        task.kill().unwrap();
        task.wait(None);
        failed.get()
    });
    assert!(failed);
}
