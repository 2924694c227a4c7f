//! What concerns the descriptors of a whole process: their number, their modes, what is watched.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenlet::hub::{Backend, use_backend};
use greenlet::net::{TcpListener, TcpStream, UnixStream};
use greenlet::process::Command;
use greenlet::server::StreamServer;
use greenlet::{ReportKind, join_all, spawn};

use crate::{isolated, passes, stderr};

/// Limits the number of descriptors.
pub(crate) fn limit(descriptors: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: descriptors, rlim_max: descriptors };
    // SAFETY: reads the limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

#[test]
fn accepting_without_descriptors_is_an_error_and_works_when_there_are_some_again() {
    passes(
        "descriptors::accepting_without_descriptors_is_an_error_and_works_when_there_are_some_again",
        || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            limit(20);
            let mut all = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                all.push(file);
            }
            for _ in 0..2 {
                assert_eq!(listener.accept().unwrap_err().raw_os_error(), Some(libc::EMFILE));
            }
            all.clear();
            assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        },
    );
}

#[test]
fn more_greenlets_than_there_may_be_descriptors_wait_for_one_of_them_by_poll() {
    passes("descriptors::more_greenlets_than_there_may_be_descriptors_wait_for_one_of_them_by_poll", || {
        use_backend(Backend::Poll).unwrap();
        limit(64);
        let (reader, writer) = UnixStream::pair().unwrap();
        let wait =
            |reader: UnixStream| spawn(move || greenlet::os::fd::wait_readable(&reader, None).unwrap());
        let mut tasks: Vec<_> = (0..100).map(|_| wait(reader.clone())).collect();
        // The hub's own interest in it counts as well.
        let mut own = reader;
        tasks.push(spawn(move || own.read_exact(&mut [0]).unwrap()));
        drop(spawn(move || (&writer).write_all(b"xx").unwrap()));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// How many descriptors are open.
fn open() -> usize {
    // SAFETY: asks only.
    (0..200).filter(|&fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1).count()
}

// gevent 111
#[test]
fn a_thread_takes_the_descriptors_of_its_hub_along_when_it_ends() {
    passes("descriptors::a_thread_takes_the_descriptors_of_its_hub_along_when_it_ends", || {
        let uses_a_hub = || {
            let (a, mut b) = UnixStream::pair().unwrap();
            // It waits until the thread ends, with all that it has.
            drop(spawn(move || (&a).read_exact(&mut [0; 2])));
            greenlet::sleep(Duration::from_millis(1));
            b.write_all(&[0]).unwrap();
        };
        // What is made once for the whole process, is made now.
        std::thread::spawn(uses_a_hub).join().unwrap();
        let before = open();
        (0..5).for_each(|_| std::thread::spawn(uses_a_hub).join().unwrap());
        assert_eq!(open(), before);
    });
}

// gevent 88
#[test]
fn a_server_without_descriptors_reports_that_and_serves_when_there_are_some_again() {
    let case = "descriptors::a_server_without_descriptors_reports_that_and_serves_when_there_are_some_again";
    let output = isolated(case, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = StreamServer::new(listener, |(mut stream, _)| stream.write_all(b"x")).unwrap();
        server.start().unwrap();
        // Without a wait, in which it would be accepted.
        let client = std::net::TcpStream::connect(server.local_addr()).unwrap();
        let mut client = TcpStream::from_std(client).unwrap();
        limit(20);
        let reports = Arc::new(AtomicU32::new(0));
        greenlet::set_report_hook({
            let reports = reports.clone();
            move |report| {
                assert_eq!(report.kind(), ReportKind::AcceptFailed);
                eprintln!("{report}");
                reports.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut all: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        while reports.load(Ordering::Relaxed) < 3 {
            greenlet::sleep(Duration::from_millis(1));
        }
        // Between two attempts it leaves the descriptor, and the processor, alone.
        (0..1000).for_each(|_| greenlet::yield_now());
        assert!(reports.load(Ordering::Relaxed) < 100);
        all.clear();
        client.read_exact(&mut [0]).unwrap();
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("\"server\" cannot accept, and tries again: Too many open files"));
}

#[test]
fn a_socket_is_closed_under_its_reader_although_there_are_no_descriptors_left() {
    passes("descriptors::a_socket_is_closed_under_its_reader_although_there_are_no_descriptors_left", || {
        UnixStream::pair().unwrap().0.close().unwrap();
        let (stream, _other) = UnixStream::pair().unwrap();
        let reader = spawn({
            let stream = stream.clone();
            move || (&stream).read(&mut [0])
        });
        greenlet::yield_now();
        limit(20);
        let all: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        stream.close().unwrap();
        assert_eq!(reader.join().unwrap().unwrap_err().raw_os_error(), Some(libc::EBADF));
        drop(all);
    });
}

#[test]
fn a_process_is_waited_for_although_there_are_no_descriptors_left() {
    passes("descriptors::a_process_is_waited_for_although_there_are_no_descriptors_left", || {
        let mut child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
        let pid = child.id();
        // This thread's hub has its own when there are no more.
        greenlet::yield_now();
        limit(20);
        let _all: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        assert_eq!(child.wait_timeout(Duration::from_millis(1)).unwrap(), None);
        let waiter = spawn(move || child.wait().unwrap());
        greenlet::yield_now();
        assert!(!waiter.is_finished());
        // SAFETY: takes no memory.
        assert_eq!(unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) }, 0);
        assert_eq!(waiter.join().unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_thousand_connections_are_served_at_once() {
    passes("descriptors::a_thousand_connections_are_served_at_once", || {
        const CLIENTS: usize = 1000;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                drop(spawn(move || std::io::copy(&mut &connection, &mut &connection)));
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for round in 0..3 {
                        let sent = (n * 10 + round).to_le_bytes();
                        stream.write_all(&sent).unwrap();
                        let mut got = [0; 8];
                        stream.read_exact(&mut got).unwrap();
                        assert_eq!(got, sent);
                        // All are connected before the first one leaves.
                        greenlet::sleep(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        assert_eq!(join_all(&clients, None).iter().filter(|client| client.is_successful()).count(), CLIENTS);
        server.kill().unwrap();
    });
}

// eventlet 75, 76; E13: there, standard output goes non-blocking and others see short writes
#[test]
fn standard_streams_are_used_in_the_mode_in_which_they_are() {
    const BYTES: usize = 300_000;
    let case = "descriptors::standard_streams_are_used_in_the_mode_in_which_they_are";
    let output = isolated(case, || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: nobody here has used standard input.
        assert_eq!(unsafe { libc::dup2(reader.as_raw_fd(), 0) }, 0);
        let lines = spawn(|| BufReader::new(greenlet::os::stdin()).lines().map_while(Result::ok).last());
        greenlet::yield_now();
        assert!(!lines.is_finished(), "it waits, and only it");
        writer.write_all(b"first\nlast\n").unwrap();
        drop(writer);
        assert_eq!(lines.join().unwrap().as_deref(), Some("last"));
        // More than a pipe holds, for a reader that comes to it in its time.
        greenlet::os::stdout().write_all(&[b'#'; BYTES]).unwrap();
        greenlet::os::stderr().write_all(b"done").unwrap();
        for stream in 0..3 {
            // SAFETY: the descriptors are open.
            assert_eq!(unsafe { libc::fcntl(stream, libc::F_GETFL) } & libc::O_NONBLOCK, 0);
        }
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).ends_with("done"));
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'#').count(), BYTES);
}

/// A duplicate keeps the description alive, and epoll would go on telling of it.
#[cfg(target_os = "linux")]
#[test]
fn what_has_been_dropped_is_watched_no_more_although_a_duplicate_exists() {
    passes("descriptors::what_has_been_dropped_is_watched_no_more_although_a_duplicate_exists", || {
        let (stream, _other) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        (&stream).read(&mut [0]).unwrap_err();
        let number = stream.as_raw_fd();
        // poll(2) registers nothing.
        let registers = greenlet::hub::backend() == greenlet::hub::Backend::System;
        assert_eq!(watched().contains(&number), registers);
        let _duplicate = std::os::fd::AsFd::as_fd(&stream).try_clone_to_owned().unwrap();
        drop(stream);
        assert!(!watched().contains(&number));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_came_from_std_is_watched_no_more_when_it_is_dropped_although_std_has_a_duplicate() {
    let case =
        "descriptors::what_came_from_std_is_watched_no_more_when_it_is_dropped_although_std_has_a_duplicate";
    passes(case, || {
        let (theirs, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = theirs.as_raw_fd();
        let _duplicate = theirs.try_clone().unwrap();
        let stream = UnixStream::from_std(theirs).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        (&stream).read(&mut [0]).unwrap_err();
        drop(stream);
        assert!(!watched().contains(&number));
    });
}

/// The descriptors that the epoll instances of this process watch.
#[cfg(target_os = "linux")]
fn watched() -> Vec<i32> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        let info = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
        numbers.extend(lines.map(|line| line.split_whitespace().next().unwrap().parse::<i32>().unwrap()));
    }
    numbers
}
