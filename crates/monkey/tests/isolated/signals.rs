//! What handlers of signals do to calls that greenlets are parked in.

use std::ffi::c_int;
use std::io::{Error, Read};
use std::mem;
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use greenlet::{GreenThread, spawn, yield_now};

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// By which it is known: the function by itself may have more than one.
pub(super) fn count_address() -> libc::sighandler_t {
    static COUNT: extern "C" fn(c_int) = count;
    COUNT as *const () as libc::sighandler_t
}

pub(super) fn handled() -> usize {
    HANDLED.load(Ordering::Relaxed)
}

pub(super) fn action(handler: libc::sighandler_t, flags: c_int) -> libc::sigaction {
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    action
}

pub(super) fn install(signal: c_int, flags: c_int) {
    let action = action(count_address(), flags);
    assert_eq!(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }, 0);
}

/// The handler has returned when this does.
pub(super) fn raise(signal: c_int) {
    let before = handled();
    assert_eq!(unsafe { libc::raise(signal) }, 0);
    assert_eq!(handled(), before + 1);
}

/// Everybody who can has come to where it waits.
fn settle() {
    (0..20).for_each(|_| yield_now());
}

fn errno_of(result: impl Into<i64>) -> Option<c_int> {
    (result.into() < 0).then(|| Error::last_os_error().raw_os_error()).flatten()
}

/// A blocking call, which says its error. Nothing that it waits for comes.
pub(super) type Blocking = fn() -> Option<c_int>;

pub(super) fn pipe() -> [c_int; 2] {
    let (reader, writer) = std::io::pipe().unwrap();
    [reader.into_raw_fd(), writer.into_raw_fd()]
}

fn temporary() -> [std::fs::File; 2] {
    let path = std::env::temp_dir().join(format!("greenlet-signals-{}", std::process::id()));
    let files = [(); 2].map(|()| std::fs::File::create(&path).unwrap());
    std::fs::remove_file(path).ok();
    files
}

/// What is begun anew after a handler that was installed with SA_RESTART.
pub(super) const RESTARTING: &[(&str, Blocking)] = &[
    ("read", || {
        let [reader, _writer] = pipe();
        errno_of(unsafe { libc::read(reader, [0_u8].as_mut_ptr().cast(), 1) } as i64)
    }),
    ("write", || {
        let [_reader, writer] = pipe();
        let room = vec![0_u8; 1 << 20];
        unsafe {
            libc::fcntl(writer, libc::F_SETFL, libc::O_NONBLOCK);
            while libc::write(writer, room.as_ptr().cast(), room.len()) > 0 {}
            libc::fcntl(writer, libc::F_SETFL, 0);
            errno_of(libc::write(writer, room.as_ptr().cast(), room.len()) as i64)
        }
    }),
    ("recv", || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.recv(&mut [0]).unwrap_err().raw_os_error()
    }),
    ("accept", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let null = ptr::null_mut();
        errno_of(unsafe { libc::accept(listener.as_raw_fd(), null, null.cast()) })
    }),
    ("splice", || {
        let ([reader, _writer], [_other, output]) = (pipe(), pipe());
        let null = ptr::null_mut();
        errno_of(unsafe { libc::splice(reader, null, output, null, 1, 0) } as i64)
    }),
    ("waitpid", || {
        #[expect(clippy::zombie_processes, reason = "the process is about to end")]
        // It ends when its input does, which is when this returns.
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        errno_of(unsafe { libc::waitpid(child.id() as _, ptr::null_mut(), 0) })
    }),
    ("flock", || {
        let files = temporary();
        let [free, taken] = [0, 1].map(|n| unsafe { libc::flock(files[n].as_raw_fd(), libc::LOCK_EX) });
        assert_eq!(free, 0);
        errno_of(taken)
    }),
];

/// What is ended by any handler.
pub(super) const ENDING: &[(&str, Blocking)] = &[
    ("poll", || errno_of(unsafe { libc::poll(ptr::null_mut(), 0, -1) })),
    ("select", || {
        let ([reader, _writer], null) = (pipe(), ptr::null_mut());
        let mut set: libc::fd_set = unsafe { mem::zeroed() };
        unsafe { libc::FD_SET(reader, &mut set) };
        let error = errno_of(unsafe { libc::select(reader + 1, &mut set, null, null, ptr::null_mut()) });
        assert!(unsafe { libc::FD_ISSET(reader, &set) }, "the set is as it was");
        error
    }),
    ("epoll_wait", || {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let epoll = unsafe { libc::epoll_create1(0) };
        errno_of(unsafe { libc::epoll_wait(epoll, &mut event, 1, -1) })
    }),
    ("recv with a timeout", || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1000))).unwrap();
        socket.recv(&mut [0]).unwrap_err().raw_os_error()
    }),
    ("nanosleep", || {
        let time = libc::timespec { tv_sec: 1000, tv_nsec: 0 };
        let mut left = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let error = errno_of(unsafe { libc::nanosleep(&time, &mut left) });
        assert!((500..1000).contains(&left.tv_sec) || error != Some(libc::EINTR), "{} s", left.tv_sec);
        error
    }),
    ("clock_nanosleep", || {
        let time = libc::timespec { tv_sec: 1000, tv_nsec: 0 };
        Some(unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &time, ptr::null_mut()) })
    }),
    ("usleep", || errno_of(unsafe { libc::usleep(1_000_000_000) })),
    ("sleep", || {
        let left = unsafe { libc::sleep(1000) };
        (500..=1000).contains(&left).then_some(libc::EINTR)
    }),
    ("pause", || errno_of(unsafe { libc::pause() })),
];

pub(super) fn waiting(call: Blocking) -> GreenThread<Option<c_int>> {
    let task = spawn(call);
    settle();
    task
}

pub(super) fn is_ended_by(call: Blocking, signal: impl Fn()) -> bool {
    let task = waiting(call);
    signal();
    settle();
    if !task.is_finished() {
        task.kill().unwrap();
        task.wait(None);
        return false;
    }
    assert_eq!(task.join().unwrap(), Some(libc::EINTR));
    true
}

#[test]
fn a_handler_without_sa_restart_ends_all_calls() {
    super::isolated("signals::a_handler_without_sa_restart_ends_all_calls", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        for (name, call) in RESTARTING.iter().chain(ENDING) {
            assert!(is_ended_by(*call, || raise(libc::SIGUSR1)), "{name}");
        }
    });
}

#[test]
fn a_handler_with_sa_restart_ends_the_calls_that_are_never_begun_anew() {
    super::isolated("signals::a_handler_with_sa_restart_ends_the_calls_that_are_never_begun_anew", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, libc::SA_RESTART);
        for (name, call) in RESTARTING {
            assert!(!is_ended_by(*call, || raise(libc::SIGUSR1)), "{name}");
        }
        for (name, call) in ENDING {
            assert!(is_ended_by(*call, || raise(libc::SIGUSR1)), "{name}");
        }
    });
}

/// The hub sleeps when it comes, or is about to, or has just woken.
#[test]
fn a_signal_from_another_thread_ends_calls_whenever_it_comes() {
    super::isolated("signals::a_signal_from_another_thread_ends_calls_whenever_it_comes", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        let here = unsafe { libc::pthread_self() } as usize;
        for n in 0..300 {
            // One signal each: if it were missed, this would wait for ever.
            let (_, call) = [RESTARTING[0], ENDING[0], ENDING[4]][n % 3];
            let task = spawn(move || {
                let began = &*Box::leak(Box::new(AtomicBool::new(false)));
                let other = thread::spawn(move || {
                    while !began.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    (0..n * 50).for_each(|_| std::hint::spin_loop());
                    unsafe { libc::pthread_kill(here as _, libc::SIGUSR1) };
                });
                // Who runs next, when this one is parked, lets it come.
                drop(spawn(move || began.store(true, Ordering::Release)));
                let error = call();
                other.join().unwrap();
                error
            });
            assert_eq!(task.join().unwrap(), Some(libc::EINTR));
        }
    });
}

/// Others keep the thread for longer than the time after which the call looks again.
#[test]
fn a_signal_that_comes_while_others_run_ends_calls_that_look_again_and_again() {
    super::isolated(
        "signals::a_signal_that_comes_while_others_run_ends_calls_that_look_again_and_again",
        || {
            greenlet_monkey::patch_all().unwrap();
            install(libc::SIGUSR1, 0);
            let [(_, flock)] = [RESTARTING[6]];
            for turns in 0..3 {
                let task = waiting(flock);
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(50) {
                    std::hint::spin_loop();
                }
                // Its nap is over, it is ready, or it tries once more.
                (0..turns).for_each(|_| yield_now());
                raise(libc::SIGUSR1);
                assert_eq!(task.join().unwrap(), Some(libc::EINTR));
            }
        },
    );
}

#[test]
fn a_signal_that_was_handled_before_a_call_does_not_end_it() {
    super::isolated("signals::a_signal_that_was_handled_before_a_call_does_not_end_it", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        let task = spawn(|| {
            raise(libc::SIGUSR1);
            errno_of(unsafe { libc::usleep(1000) })
        });
        assert_eq!(task.join().unwrap(), None);
    });
}

#[test]
fn a_result_that_is_there_goes_before_a_signal() {
    super::isolated("signals::a_result_that_is_there_goes_before_a_signal", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        let [reader, writer] = pipe();
        let read: fn(c_int) -> isize = |reader| unsafe { libc::read(reader, [0_u8].as_mut_ptr().cast(), 1) };
        let poll: fn(c_int) -> isize = |reader| {
            let mut fd = libc::pollfd { fd: reader, events: libc::POLLIN, revents: 0 };
            unsafe { libc::poll(&mut fd, 1, -1) as isize }
        };
        for wait in [read, poll] {
            let task = spawn(move || wait(reader));
            settle();
            assert_eq!(unsafe { libc::write(writer, [0_u8].as_ptr().cast(), 1) }, 1);
            raise(libc::SIGUSR1);
            assert_eq!(task.join().unwrap(), 1);
        }
        // The signal that tells of a child's end does not end the wait for it.
        install(libc::SIGCHLD, 0);
        let task = spawn(|| {
            let mut child = Command::new("true").spawn().unwrap();
            let id = child.id() as libc::pid_t;
            let waited = unsafe { libc::waitpid(id, ptr::null_mut(), 0) };
            child.wait().unwrap_err();
            waited == id
        });
        assert!(task.join().unwrap());
    });
}

/// As a careful caller does, and std.
#[test]
fn a_connect_that_was_ended_is_waited_for_by_the_next_one() {
    super::isolated("signals::a_connect_that_was_ended_is_waited_for_by_the_next_one", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        // Nobody accepts, so that some of them wait for room in the queue.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        unsafe { libc::listen(listener.as_raw_fd(), 0) };
        let address = listener.local_addr().unwrap();
        let callers: Vec<_> = (0..4).map(|_| spawn(move || TcpStream::connect(address))).collect();
        settle();
        assert!(callers.iter().any(|caller| !caller.is_finished()), "somebody waits for room");
        raise(libc::SIGUSR1);
        settle();
        let ended = callers.into_iter().filter(|caller| caller.is_finished());
        assert!(ended.map(|caller| caller.join().unwrap()).all(|connection| connection.is_ok()));
    });
}

#[test]
fn who_is_to_end_does_not_wait_for_a_signal() {
    super::isolated("signals::who_is_to_end_does_not_wait_for_a_signal", || {
        greenlet_monkey::patch_all().unwrap();
        let task = waiting(|| {
            let [reader, _writer] = pipe();
            let read = errno_of(unsafe { libc::read(reader, [0_u8].as_mut_ptr().cast(), 1) } as i64);
            assert_eq!(read, Some(libc::ECANCELED));
            errno_of(unsafe { libc::pause() })
        });
        task.kill().unwrap();
        task.wait(None);
        assert!(task.is_finished());
    });
}

#[test]
fn a_signal_that_another_thread_handles_ends_no_call_here() {
    super::isolated("signals::a_signal_that_another_thread_handles_ends_no_call_here", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        let elsewhere = || thread::spawn(|| raise(libc::SIGUSR1)).join().unwrap();
        assert!(!is_ended_by(RESTARTING[0].1, elsewhere));
        assert!(!is_ended_by(ENDING[0].1, elsewhere));
    });
}

#[test]
fn a_sleep_of_std_lasts_as_long_as_it_was_to() {
    super::isolated("signals::a_sleep_of_std_lasts_as_long_as_it_was_to", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGUSR1, 0);
        let task = spawn(|| {
            let start = Instant::now();
            thread::sleep(Duration::from_millis(50));
            start.elapsed()
        });
        while !task.is_finished() {
            raise(libc::SIGUSR1);
            yield_now();
        }
        assert!(task.join().unwrap() >= Duration::from_millis(50));
    });
}

/// A profiler's tick, by the time that the processor works; a pipe that nobody reads.
#[test]
fn signals_of_who_runs_end_no_call_of_others() {
    super::isolated("signals::signals_of_who_runs_end_no_call_of_others", || {
        greenlet_monkey::patch_all().unwrap();
        for signal in [libc::SIGPROF, libc::SIGPIPE] {
            install(signal, 0);
            assert!(!is_ended_by(ENDING[0].1, || raise(signal)));
        }
    });
}

#[test]
fn a_write_that_has_done_a_part_raises_no_signal() {
    super::isolated("signals::a_write_that_has_done_a_part_raises_no_signal", || {
        greenlet_monkey::patch_all().unwrap();
        install(libc::SIGPIPE, 0);
        type Write = fn(c_int, &[u8]) -> isize;
        const WRITE: Write = |fd, data| unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
        const SEND: Write = |fd, data| unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), 0) };
        let parted = |write: Write, end: fn(UnixStream, &UnixStream) -> Option<UnixStream>| {
            let (a, b) = UnixStream::pair().unwrap();
            let a = Rc::new(a);
            let written = a.clone();
            let writing = spawn(move || write(written.as_raw_fd(), &vec![0; 4 << 20]));
            yield_now();
            b.set_nonblocking(true).unwrap();
            while (&b).read(&mut [0; 1000]).is_ok() {}
            let _open = end(b, &a);
            assert!(writing.join().unwrap() > 0);
        };
        for write in [WRITE, SEND] {
            parted(write, |_, _| None);
        }
        parted(SEND, |b, a| {
            a.shutdown(Shutdown::Write).unwrap();
            Some(b)
        });
        assert_eq!(handled(), 0);
    });
}

#[test]
fn a_handler_that_was_there_before_ends_calls_as_well() {
    super::isolated("signals::a_handler_that_was_there_before_ends_calls_as_well", || {
        install(libc::SIGUSR1, 0);
        greenlet_monkey::patch_all().unwrap();
        assert!(is_ended_by(RESTARTING[0].1, || raise(libc::SIGUSR1)));
    });
}

#[test]
fn signals_that_are_not_taken_over_end_no_call() {
    super::isolated("signals::signals_that_are_not_taken_over_end_no_call", || {
        greenlet_monkey::Patch::all().signals(false).apply().unwrap();
        install(libc::SIGUSR1, 0);
        assert!(!is_ended_by(RESTARTING[0].1, || raise(libc::SIGUSR1)));
    });
}
