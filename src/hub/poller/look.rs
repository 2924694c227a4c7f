//! `poll(2)` for a greenlet: look, wait until something may have changed, and look again.
//!
//! The system is asked before and after, so that what is said of the descriptors is true.

use std::io;
use std::time::{Duration, Instant};

use super::Outsider;
use super::poll::poll;
use crate::hub::{self, Node};

/// Waits until one of the descriptors is ready for what is asked of it; returns how many are, all
/// of which are marked. Zero if `until` came first.
///
/// # Errors
///
/// If the system refuses to watch a descriptor, or the greenlet would wait where it cannot.
#[track_caller]
pub(crate) fn poll_fds(
    fds: &mut [libc::pollfd],
    until: Option<Instant>,
    why: &'static str,
) -> io::Result<usize> {
    hub::spend_budget();
    loop {
        let ready = look(fds)?;
        if ready > 0 || until.is_some_and(|until| until <= Instant::now()) {
            return Ok(ready);
        }
        hub::check_may_wait()?;
        let hub = hub::here();
        let nodes: Vec<_> = fds.iter().map(|fd| Node::new(Outsider::new((fd.fd, fd.events)))).collect();
        let waiting = || nodes.iter().filter(|node| node.cargo().waits()).count();
        hub.wait_outside(&nodes, || {
            let watched = waiting();
            hub.park_while(|| waiting() == watched, until, why);
        })?;
    }
}

/// Finds out which of the descriptors are ready now, and how many.
fn look(fds: &mut [libc::pollfd]) -> io::Result<usize> {
    loop {
        match poll(fds, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
