//! Waiting for descriptors that are somebody else's.
//!
//! Their mode is not touched, and they are watched only while somebody waits. The system is asked
//! before and after, so that what is said of them is true.

use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::poll::poll;
use super::{Direction, Source};
use crate::hub::{Hub, WaitQueue};

impl Hub {
    /// Waits until one of the descriptors is ready for what is asked of it; returns how many are, all
    /// of which are marked. Zero if `until` came first.
    ///
    /// # Errors
    ///
    /// If the system refuses to watch a descriptor.
    ///
    /// # Safety
    ///
    /// The descriptors stay open.
    #[track_caller]
    pub(crate) unsafe fn poll_fds(
        &self,
        fds: &mut [libc::pollfd],
        until: Option<Instant>,
        why: &'static str,
    ) -> io::Result<usize> {
        self.spend_budget();
        loop {
            let ready = look(fds)?;
            if ready > 0 || until.is_some_and(|until| until <= Instant::now()) {
                return Ok(ready);
            }
            self.wait_for_event(fds, until, why)?;
        }
    }

    /// Waits until something may have changed. None of the descriptors is ready.
    #[track_caller]
    fn wait_for_event(
        &self,
        fds: &[libc::pollfd],
        until: Option<Instant>,
        why: &'static str,
    ) -> io::Result<()> {
        const DIRECTIONS: [(libc::c_short, Direction); 2] =
            [(libc::POLLIN, Direction::Read), (libc::POLLOUT, Direction::Write)];
        let sources = fds.iter().map(|fd| self.source_for(fd.fd)).collect::<io::Result<Vec<_>>>()?;
        let mut queues: Vec<&WaitQueue> = Vec::with_capacity(DIRECTIONS.len() * fds.len());
        for (fd, source) in fds.iter().zip(&sources) {
            for (_, direction) in DIRECTIONS.into_iter().filter(|(event, _)| fd.events & event != 0) {
                source.note_blocked(direction);
                queues.push(source.waiting(direction));
            }
        }
        let _counted = (!queues.is_empty()).then(|| self.poller.count_waiter());
        self.wait_in_any(&queues, until, why);
        Ok(())
    }

    /// Who watches the descriptor: whoever does already, or a source for the time of the wait.
    fn source_for(&self, fd: RawFd) -> io::Result<Rc<Source>> {
        if let Some(source) = self.poller.source_of(fd) {
            return Ok(source);
        }
        let source = Source::borrowed(fd);
        source.register(self)?;
        Ok(source)
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
