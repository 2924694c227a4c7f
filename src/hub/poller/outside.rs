//! Who waits for descriptors that somebody else opens, uses and closes as they like.
//!
//! Nothing is remembered of a descriptor between two waits, since its number may stand for something else
//! by then: each wait arms it for one event. The waiters' nodes, on their own stacks, hang in a table of
//! fixed size that is made with the hub, so that a wait allocates nothing: an allocator may wait itself, and a
//! wake that comes then would find nobody parked.
//!
//! Who was woken stays in the table until it runs: somebody may close the descriptor before.

use std::cell::Cell;
use std::io;
#[cfg(target_os = "linux")]
use std::ops::RangeInclusive;
use std::os::fd::RawFd;

use super::{Key, Poller};
use crate::hub::wait_queue::Leaving;
use crate::hub::{Fiber, Hub, Node, WaitQueue};

/// Descriptors whose numbers differ by a multiple of this share a queue.
const QUEUES: usize = 1024;

pub(crate) struct Outside {
    queues: Box<[WaitQueue<Outsider>]>,
    /// There has been one who waits.
    used: Cell<bool>,
}

/// What a greenlet waits for.
pub(crate) struct Outsider {
    fd: RawFd,
    /// In the terms of `poll(2)`.
    events: i16,
    /// It has not been woken yet.
    waits: Cell<bool>,
    #[cfg(target_os = "linux")]
    closed: Cell<bool>,
}

impl Outsider {
    pub(crate) fn new((fd, events): (RawFd, i16)) -> Self {
        Self {
            fd,
            events,
            waits: Cell::new(false),
            #[cfg(target_os = "linux")]
            closed: Cell::new(false),
        }
    }

    /// Whether it waits, and has not been woken yet.
    pub(super) fn waits(&self) -> bool {
        self.waits.get()
    }

    /// Whether the descriptor was closed before the greenlet ran again.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }
}

impl Outside {
    pub(super) fn new() -> Self {
        Self { queues: (0..QUEUES).map(|_| WaitQueue::new()).collect(), used: Cell::new(false) }
    }

    fn queue(&self, fd: RawFd) -> &WaitQueue<Outsider> {
        &self.queues[fd as usize % QUEUES]
    }

    /// The queue to enter, unless the number stands for no descriptor.
    fn queue_to_enter(&self, fd: RawFd) -> Option<&WaitQueue<Outsider>> {
        (fd >= 0).then(|| {
            self.used.set(true);
            self.queue(fd)
        })
    }

    /// Has everybody look again who waits for the descriptor.
    #[inline]
    pub(super) fn wake(&self, fd: RawFd, make_ready: impl FnMut(&Fiber)) {
        if self.used.get() {
            self.queue(fd).wake_where(|outsider| outsider.fd == fd && outsider.waits.take(), make_ready);
        }
    }

    /// Tells those who wait for one of the descriptors, or are about to use it, that it is closed.
    #[cfg(target_os = "linux")]
    pub(crate) fn close(&self, fds: RangeInclusive<RawFd>, mut make_ready: impl FnMut(&Fiber)) {
        if !self.used.get() {
            return;
        }
        let suits = |outsider: &Outsider| {
            let closed = fds.contains(&outsider.fd);
            if closed {
                outsider.waits.set(false);
                outsider.closed.set(true);
            }
            closed
        };
        if fds.start() == fds.end() {
            self.queue(*fds.start()).wake_where(suits, make_ready);
        } else {
            self.queues.iter().for_each(|queue| queue.wake_where(suits, &mut make_ready));
        }
    }

    /// All that is waited for on a descriptor.
    fn events(&self, fd: RawFd) -> i16 {
        let mut events = 0;
        self.queue(fd).for_each(|outsider| {
            if outsider.fd == fd && outsider.waits() {
                events |= outsider.events;
            }
        });
        events
    }

    /// What is waited for, for a poller that has to be told each time: on each descriptor once, in their order. The
    /// system does not look at more of them than a process may have.
    pub(super) fn wanted(&self) -> Vec<(RawFd, Key, i16)> {
        let mut wanted: Vec<(RawFd, Key, i16)> = Vec::new();
        for queue in &self.queues {
            queue.for_each(|outsider| {
                if outsider.waits() {
                    wanted.push((outsider.fd, Key::outside(outsider.fd), outsider.events));
                }
            });
        }
        wanted.sort_unstable_by_key(|(fd, ..)| *fd);
        wanted.dedup_by(|(fd, _, events), (kept, _, all)| {
            let is_same = fd == kept;
            if is_same {
                *all |= *events;
            }
            is_same
        });
        wanted
    }
}

impl Hub {
    /// Calls `park` with all of the descriptors watched, for one event each. Whoever it parks is woken when
    /// one of them may have changed.
    ///
    /// # Errors
    ///
    /// If one of them cannot be watched.
    #[track_caller]
    pub(crate) fn wait_outside<R>(
        &self,
        nodes: &[Node<Outsider>],
        park: impl FnOnce() -> R,
    ) -> io::Result<R> {
        let outside = &self.poller.outside;
        let _waiting = Leaving(nodes);
        for node in nodes {
            if let Some(queue) = outside.queue_to_enter(node.cargo().fd) {
                // SAFETY: the nodes are borrowed, and so stay where they are, until they have left, when this
                // function ends.
                unsafe { queue.enter(node, self.current()) };
                node.cargo().waits.set(true);
                self.poller.watch_outsider(node.cargo())?;
            }
        }
        let _counted = (!nodes.is_empty()).then(|| self.poller.count_waiter());
        Ok(park())
    }

    /// Calls `park`, which is not for the descriptor. Whoever it parks is woken when that is closed. Whether that
    /// has happened, and what `park` returned.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait_unless_closed<R>(&self, fd: RawFd, park: impl FnOnce() -> R) -> (bool, R) {
        let call = self.enter_call();
        let nodes = [Node::new(Outsider::new((fd, 0)))];
        let _waiting = Leaving(&nodes);
        if let Some(queue) = self.poller.outside.queue_to_enter(fd) {
            // SAFETY: the node is this frame's and borrowed, and so stays where it is, until it has left; so do the count
            // and the hub.
            unsafe { queue.enter_kept(&nodes[0], call.greenlet()) };
        }
        let returned = park();
        (nodes[0].cargo().is_closed(), returned)
    }
}

impl Poller {
    #[cfg(target_os = "linux")]
    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Watches the descriptor until the next event.
    fn watch_outsider(&self, outsider: &Outsider) -> io::Result<()> {
        let fd = outsider.fd;
        if self.table.borrow().has(fd) {
            // One of the hub's own is watched already, for everything.
            return Ok(());
        }
        self.selector.arm(fd, self.outside.events(fd), Key::outside(fd))
    }

    /// Whether nobody is in the midst of using it.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.table.try_borrow_mut().is_ok() && self.selector.is_at_rest()
    }
}
