//! A file descriptor that greenlets wait for.

use std::cell::{Cell, OnceCell};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::table::Age;
use super::{Readiness, dead};
use crate::greenlet::words;
use crate::hub::memory::{self, Size};
use crate::hub::{self, Count, Counted, Fiber, Hub, WaitQueue};
use crate::time::deadline;

/// What a greenlet wants to do with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A descriptor whose operations do not block, with those who wait for it. There is none but behind a
/// [`SourceRef`], so it does not move. Several greenlets may wait, in either direction.
pub(crate) struct Source {
    fd: RawFd,
    refs: Cell<u32>,
    /// By which the poller knows it; zero if it does not.
    age: Cell<Age>,
    /// Whether an operation is worth trying, by direction.
    ready: [Cell<bool>; 2],
    /// Who waits, by direction.
    waiting: [WaitQueue; 2],
    /// Apart, because few have any.
    timeouts: OnceCell<Box<[Cell<Option<Duration>>; 2]>>,
    /// An operation that does less than it was asked to has done all there is to do, and an event
    /// will tell when there is more. Not so before the poller watches; nor after something irregular
    /// has come, which is told once and need not be all.
    short_is_all: Cell<bool>,
    standing: Cell<Standing>,
}

/// Keeps a source.
pub(crate) type SourceRef = Counted<Source>;

/// What a source takes.
static SIZE: Size = Size::of::<Source>();

/// Whose the descriptor is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The source's, which closes it in the end.
    Private,
    /// The same, but somebody outside has seen it or had it before, and may have duplicated it.
    Shown,
    /// It was [closed](Source::close) while handles to it existed, and its number is still taken.
    Closed,
    /// Somebody else's.
    GivenAway,
}

// An idle connection costs this much, a task, and a stack's first page.
const _: () = assert!(size_of::<Source>() <= 40);

impl Source {
    /// Takes over a descriptor that does not block: by its mode, or because each operation asks not
    /// to.
    pub(crate) fn new(fd: OwnedFd) -> SourceRef {
        let source = Self {
            fd: ManuallyDrop::new(fd).as_raw_fd(),
            refs: Cell::new(1),
            age: Cell::new(0),
            ready: [const { Cell::new(true) }; 2],
            waiting: [const { WaitQueue::new() }; 2],
            timeouts: OnceCell::new(),
            short_is_all: Cell::new(false),
            standing: Cell::new(Standing::Private),
        };
        let place = memory::take(&SIZE).cast();
        // SAFETY: memory of this size, which is nobody else's; the count that it begins with is this one.
        unsafe {
            place.write(source);
            SourceRef::from_raw(place)
        }
    }

    #[inline]
    fn ready(&self, direction: Direction) -> &Cell<bool> {
        &self.ready[direction as usize]
    }

    pub(crate) fn timeout(&self, direction: Direction) -> Option<Duration> {
        self.timeouts.get()?[direction as usize].get()
    }

    /// Tells an event of this one from an event of another that has had the descriptor.
    #[inline]
    pub(super) fn age(&self) -> Age {
        self.age.get()
    }

    /// How long an operation may wait from now on.
    ///
    /// # Errors
    ///
    /// As std: a timeout of zero is invalid.
    pub(crate) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout cannot be zero"));
        }
        let timeouts = words::without_waiting(|| self.timeouts.get_or_init(Box::default));
        timeouts[direction as usize].set(timeout);
        Ok(())
    }

    /// Does `operation` as soon as it would not block, within the direction's timeout.
    #[track_caller]
    #[inline]
    pub(crate) fn perform<R>(
        &self,
        direction: Direction,
        why: &'static str,
        operation: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        // The clock is read only by who waits.
        let mut until = None;
        let timeout = || *until.get_or_insert_with(|| deadline(self.timeout(direction)));
        self.perform_within(direction, timeout, why, operation)
    }

    /// As [`perform`](Self::perform), but `until` a time.
    #[track_caller]
    pub(crate) fn perform_until<R>(
        &self,
        direction: Direction,
        until: Option<Instant>,
        why: &'static str,
        operation: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        self.perform_within(direction, || until, why, operation)
    }

    #[track_caller]
    #[inline]
    fn perform_within<R>(
        &self,
        direction: Direction,
        mut until: impl FnMut() -> Option<Instant>,
        why: &'static str,
        mut operation: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(hub) = hub::unless_ended() else { return self.perform_at_once(operation) };
        let ready = self.ready(direction);
        // Before the operation: who is interrupted here has lost nothing.
        hub.spend_budget();
        loop {
            if ready.get() {
                match operation(self.fd) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.set(false),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(self.error(error)),
                    result => return result,
                }
            }
            self.wait(hub, direction, until(), why)?;
        }
    }

    /// For destructors of thread-locals that run when the hub has ended: what need not wait works there.
    #[cold]
    fn perform_at_once<R>(&self, mut operation: impl FnMut(RawFd) -> io::Result<R>) -> io::Result<R> {
        loop {
            match operation(self.fd) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => hub::check_may_wait()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
                result => return result,
            }
        }
    }

    /// Waits until an operation is worth trying.
    #[track_caller]
    fn wait(
        &self,
        hub: &Hub,
        direction: Direction,
        until: Option<Instant>,
        why: &'static str,
    ) -> io::Result<()> {
        hub::check_may_wait()?;
        self.register(hub)?;
        let ready = self.ready(direction);
        if ready.get() {
            return Ok(());
        }
        let _counted = hub.poller.count_waiter();
        if hub.wait(self.waiting(direction), until, why) || ready.get() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::TimedOut, "timed out"))
        }
    }

    /// Has the poller watch the descriptor, if it does not yet.
    #[inline]
    fn register(&self, hub: &Hub) -> io::Result<()> {
        if self.age.get() == 0 { self.register_anew(hub) } else { Ok(()) }
    }

    #[cold]
    fn register_anew(&self, hub: &Hub) -> io::Result<()> {
        match hub.poller.register(self) {
            Ok(key) => {
                self.age.set(key.age());
                self.short_is_all.set(hub.poller.tells_end());
            }
            // An ordinary file: always ready.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                self.ready.iter().for_each(|ready| ready.set(true));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes that a read or write did less than it was asked to, so that the next one would block.
    /// Saves the call that would find that out.
    #[inline]
    pub(crate) fn note_drained(&self, direction: Direction) {
        if self.short_is_all.get() {
            self.note_blocked(direction);
        }
    }

    /// Notes that trying is no use before an event says so.
    #[inline]
    pub(crate) fn note_blocked(&self, direction: Direction) {
        self.ready(direction).set(false);
    }

    /// Takes in an event.
    pub(super) fn note(&self, readiness: Readiness, make_ready: &mut impl FnMut(&Fiber)) {
        if readiness.irregular {
            self.short_is_all.set(false);
        }
        let news = [(readiness.readable, Direction::Read), (readiness.writable, Direction::Write)];
        for (_, direction) in news.into_iter().filter(|(ready, _)| *ready) {
            self.ready(direction).set(true);
            self.waiting(direction).drain(&mut *make_ready);
        }
    }

    /// Has the processor fetch the node of who waits to read.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn prefetch_waiters(&self) {
        self.waiting(Direction::Read).prefetch();
    }

    /// Those who wait for a direction.
    fn waiting(&self, direction: Direction) -> &WaitQueue {
        &self.waiting[direction as usize]
    }

    /// What is waited for, in the terms of `poll(2)`.
    pub(super) fn wanted(&self) -> libc::c_short {
        let wanted = |direction, events| if self.waiting(direction).is_empty() { 0 } else { events };
        wanted(Direction::Read, libc::POLLIN) | wanted(Direction::Write, libc::POLLOUT)
    }

    /// The descriptor, for calls that are over before the source is.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd
    }

    /// Notes that somebody outside has the descriptor as well, or may have.
    pub(crate) fn show(&self) {
        if self.standing.get() == Standing::Private {
            self.standing.set(Standing::Shown);
        }
    }

    /// Closes the descriptor although handles to it exist. Who waits for it gets an error, and so
    /// does every operation from now on; to close it again does nothing.
    ///
    /// The number stays taken until the last handle goes, so that nobody's descriptor is mistaken
    /// for this one.
    ///
    /// # Errors
    ///
    /// If there is nothing to put in its place, for want of descriptors: then it is as it was.
    pub(crate) fn close(&self) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let dead = dead::descriptor()?;
        // The poller lets go first: the number will stand for something else.
        self.forget(false);
        dead::replace(self.fd, dead)?;
        self.standing.set(Standing::Closed);
        self.wake_all();
        Ok(())
    }

    /// Has everybody try again who waits.
    fn wake_all(&self) {
        let everything = Readiness { readable: true, writable: true, irregular: true };
        hub::with_existing(|hub| {
            self.note(everything, &mut |fiber| hub.make_ready(fiber));
            hub.poller.wake_outside(self.fd);
        });
    }

    /// The error of an operation: if the descriptor was closed, that.
    #[cold]
    fn error(&self, error: io::Error) -> io::Error {
        if self.is_closed() { io::Error::from_raw_os_error(libc::EBADF) } else { error }
    }

    fn is_closed(&self) -> bool {
        self.standing.get() == Standing::Closed
    }

    /// # Errors
    ///
    /// If the descriptor was closed.
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.is_closed() { Err(io::Error::from_raw_os_error(libc::EBADF)) } else { Ok(()) }
    }

    /// Has the poller watch it no more. `closing` says that nobody else has the descriptor, and it
    /// is about to be closed.
    fn forget(&self, closing: bool) {
        if self.age.take() != 0 {
            hub::with_existing(|hub| hub.poller.forget(self.fd, closing));
        }
    }

    /// In a forked child: starts over with another poller, without those who wait.
    pub(super) fn leave_behind(&self) {
        self.age.set(0);
        self.short_is_all.set(false);
        for direction in [Direction::Read, Direction::Write] {
            self.ready(direction).set(true);
            self.waiting(direction).drain(|_| ());
        }
    }
}

impl SourceRef {
    /// Gives the descriptor away, out of the hub's care.
    ///
    /// # Errors
    ///
    /// If there are other handles to it, or it was closed.
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        self.check_open()?;
        if self.refs.get() > 1 {
            return Err(io::Error::other("other handles to it exist"));
        }
        self.forget(false);
        self.standing.set(Standing::GivenAway);
        // SAFETY: it was ours, and the source, which ends here, does not close it any more.
        Ok(unsafe { OwnedFd::from_raw_fd(self.fd) })
    }
}

// SAFETY: the field is private to this file, which only gives it its first value.
unsafe impl Count for Source {
    fn refs(&self) -> &Cell<u32> {
        &self.refs
    }

    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: the caller's word; it was written to memory of this size by `new`.
        unsafe {
            this.drop_in_place();
            memory::give_back(this.cast(), &SIZE);
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.forget(self.standing.get() == Standing::Private);
        if self.standing.get() != Standing::GivenAway {
            // SAFETY: it is ours, and nothing uses it afterwards.
            drop(unsafe { OwnedFd::from_raw_fd(self.fd) });
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.show();
        // SAFETY: it is open while the source exists.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}
