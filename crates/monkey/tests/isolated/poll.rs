//! How often a wait for descriptors looks.

use std::os::fd::AsRawFd;

use greenlet::spawn;
use greenlet_monkey::{Part, counts};

/// A descriptor that epoll does not take is looked at again and again, with sleeps between. That somebody asks
/// for all the bits of a `short` is no reason: those that are no events of `poll` are nothing to it.
#[test]
fn a_poll_for_more_events_than_there_are_sleeps_once() {
    super::isolated("poll::a_poll_for_more_events_than_there_are_sleeps_once", || {
        greenlet_monkey::patch_all().unwrap();
        let polling = spawn(|| {
            let (reader, _writer) = std::io::pipe().unwrap();
            let mut fd = libc::pollfd { fd: reader.as_raw_fd(), events: -1, revents: 0 };
            unsafe { libc::poll(&mut fd, 1, 300) }
        });
        assert_eq!(polling.join().unwrap(), 0);
        let parked = counts(Part::Poll).parked;
        assert!((1..=2).contains(&parked), "{parked} times");
    });
}
