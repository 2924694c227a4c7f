//! `poll`, `select`, `epoll_wait` and their kin.

use std::ffi::c_int;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use greenlet::spawn;

use crate::patched;

const LONG: c_int = 60_000;

/// Waits for the descriptors, for a time in milliseconds; the result and who is readable.
type Wait = fn(&[c_int], c_int) -> (c_int, Vec<c_int>);

const POLL: Wait = |fds, timeout| {
    let mut fds: Vec<_> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as _, timeout) };
    (ready, fds.iter().filter(|fd| fd.revents & libc::POLLIN != 0).map(|fd| fd.fd).collect())
};

const PPOLL: Wait = |fds, timeout| {
    let mut fds: Vec<_> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let time = timespec(timeout);
    let time = if timeout < 0 { ptr::null() } else { &raw const time };
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as _, time, ptr::null()) };
    (ready, fds.iter().filter(|fd| fd.revents & libc::POLLIN != 0).map(|fd| fd.fd).collect())
};

fn timespec(timeout: c_int) -> libc::timespec {
    libc::timespec { tv_sec: (timeout / 1000).into(), tv_nsec: (timeout % 1000 * 1_000_000).into() }
}

fn set(fds: &[c_int]) -> (libc::fd_set, c_int) {
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    fds.iter().for_each(|&fd| unsafe { libc::FD_SET(fd, &mut set) });
    (set, fds.iter().max().map_or(0, |fd| fd + 1))
}

fn members(fds: &[c_int], set: &libc::fd_set) -> Vec<c_int> {
    fds.iter().copied().filter(|&fd| unsafe { libc::FD_ISSET(fd, set) }).collect()
}

const SELECT: Wait = |fds, timeout| {
    let (mut set, count) = set(fds);
    let mut time = libc::timeval { tv_sec: (timeout / 1000).into(), tv_usec: (timeout % 1000 * 1000).into() };
    let time = if timeout < 0 { ptr::null_mut() } else { &raw mut time };
    let ready = unsafe { libc::select(count, &mut set, ptr::null_mut(), ptr::null_mut(), time) };
    (ready, members(fds, &set))
};

const PSELECT: Wait = |fds, timeout| {
    let (mut set, count) = set(fds);
    let time = timespec(timeout);
    let time = if timeout < 0 { ptr::null() } else { &raw const time };
    let none = ptr::null_mut();
    let ready = unsafe { libc::pselect(count, &mut set, none, none, time, ptr::null()) };
    (ready, members(fds, &set))
};

fn by_epoll(fds: &[c_int], wait: impl Fn(c_int, *mut libc::epoll_event) -> c_int) -> (c_int, Vec<c_int>) {
    let epoll = unsafe { libc::epoll_create1(0) };
    for &fd in fds {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
        assert_eq!(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }, 0);
    }
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let ready = wait(epoll, events.as_mut_ptr());
    unsafe { libc::close(epoll) };
    (ready, events[..ready.max(0) as usize].iter().map(|event| event.u64 as c_int).collect())
}

const EPOLL: Wait =
    |fds, timeout| by_epoll(fds, |epoll, events| unsafe { libc::epoll_wait(epoll, events, 64, timeout) });

const EPOLL_PWAIT: Wait = |fds, timeout| {
    by_epoll(fds, |epoll, events| unsafe { libc::epoll_pwait(epoll, events, 64, timeout, ptr::null()) })
};

const WAITS: [(&str, Wait); 6] = [
    ("poll", POLL),
    ("ppoll", PPOLL),
    ("select", SELECT),
    ("pselect", PSELECT),
    ("epoll_wait", EPOLL),
    ("epoll_pwait", EPOLL_PWAIT),
];

fn pipes(count: usize) -> (Vec<PipeReader>, Vec<PipeWriter>) {
    (0..count).map(|_| std::io::pipe().unwrap()).unzip()
}

#[test]
fn whichever_is_ready_ends_the_wait() {
    patched(|| {
        // Few, some, and more than fit into a wait of their own.
        for (name, wait) in WAITS {
            for count in [1, 2, 5, 40] {
                for timeout in [-1, LONG] {
                    let (readers, mut writers) = pipes(count);
                    let fds: Vec<_> = readers.iter().map(AsRawFd::as_raw_fd).collect();
                    let last = fds[count - 1];
                    let waiting = spawn(move || wait(&fds, timeout));
                    std::thread::yield_now();
                    writers[count - 1].write_all(b"x").unwrap();
                    assert_eq!(waiting.join().unwrap(), (1, vec![last]), "{name}, {count}");
                }
            }
        }
    });
}

#[test]
fn a_time_that_is_over_ends_the_wait() {
    patched(|| {
        for (name, wait) in WAITS {
            let (readers, _writers) = pipes(2);
            let fds: Vec<_> = readers.iter().map(AsRawFd::as_raw_fd).collect();
            for timeout in [0, 3] {
                let others = spawn(std::thread::yield_now);
                assert_eq!(wait(&fds, timeout), (0, vec![]), "{name}, {timeout} ms");
                others.join().unwrap();
            }
        }
    });
}

#[test]
fn to_look_again_and_again_lets_others_run() {
    patched(|| {
        for (name, wait) in WAITS {
            let (readers, mut writers) = pipes(1);
            let fd = readers[0].as_raw_fd();
            let writer = spawn(move || writers[0].write_all(b"x").unwrap());
            let looks = (1..100_000).find(|_| wait(&[fd], 0).0 == 1);
            assert!(looks.is_some(), "{name}: the writer has had its turn");
            writer.join().unwrap();
        }
    });
}

#[test]
fn nothing_to_wait_for_but_time() {
    patched(|| {
        let start = std::time::Instant::now();
        let other = spawn(|| std::thread::sleep(Duration::from_millis(1)));
        assert_eq!(unsafe { libc::poll(ptr::null_mut(), 0, 100) }, 0);
        assert!(start.elapsed() >= Duration::from_millis(100));
        assert!(other.is_finished(), "others ran meanwhile");
    });
}

#[test]
fn what_is_wrong_is_an_error_as_ever() {
    patched(|| {
        let error = || std::io::Error::last_os_error().raw_os_error();
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        assert_eq!(unsafe { libc::epoll_wait(-1, &mut event, 1, -1) }, -1);
        assert_eq!(error(), Some(libc::EBADF));
        let mut fd = libc::pollfd { fd: 1 << 20, events: libc::POLLIN, revents: 0 };
        assert_eq!(unsafe { libc::poll(&mut fd, 1, -1) }, 1);
        assert_eq!(fd.revents, libc::POLLNVAL);
    });
}

#[test]
fn select_says_how_much_time_is_left() {
    patched(|| {
        let (readers, mut writers) = pipes(1);
        let fd = readers[0].as_raw_fd();
        writers[0].write_all(b"x").unwrap();
        let (mut set, count) = set(&[fd]);
        let mut time = libc::timeval { tv_sec: 3600, tv_usec: 0 };
        let none = ptr::null_mut();
        assert_eq!(unsafe { libc::select(count, &mut set, none, none, &mut time) }, 1);
        assert!((3000..=3600).contains(&time.tv_sec));
    });
}

/// Instances of epoll can be in one another to a depth, and what is that deep is in no further one.
#[test]
fn what_epoll_does_not_watch_is_polled_among_many() {
    patched(|| {
        let (readers, mut writers) = pipes(1);
        let instance = || unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(0)) };
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        let mut watch = |epoll: &OwnedFd, fd: c_int| unsafe {
            libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) == 0
        };
        let mut instances = vec![instance()];
        assert!(watch(&instances[0], readers[0].as_raw_fd()));
        loop {
            let next = instance();
            let deepest = instances.last().unwrap().as_raw_fd();
            if !watch(&next, deepest) {
                break;
            }
            instances.push(next);
        }
        let deepest = instances.last().unwrap().as_raw_fd();
        let polling = spawn(move || {
            let mut fds = [libc::pollfd { fd: -1, events: 0, revents: 0 }; 20];
            fds[0] = libc::pollfd { fd: deepest, events: libc::POLLIN, revents: 0 };
            unsafe { libc::poll(fds.as_mut_ptr(), 20, -1) }
        });
        // Longer than until it looks again.
        std::thread::sleep(Duration::from_millis(30));
        assert!(!polling.is_finished());
        writers[0].write_all(b"x").unwrap();
        assert_eq!(polling.join().unwrap(), 1);
    });
}
