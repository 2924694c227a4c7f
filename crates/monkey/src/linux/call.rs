//! A call that may have to wait for a descriptor.

use std::cell::OnceCell;
use std::ffi::c_int;
use std::mem::{self, MaybeUninit};
use std::pin::pin;
use std::slice;
use std::thread::panicking;
use std::time::{Duration, Instant};

use greenlet::hub::embed::{self, Ended, OnSignal, Signal, Sleeper, until_signal};

use super::raw::{call, call3, errno, error, set_errno};
use crate::Part;

pub(super) const CANCELED: isize = error(libc::ECANCELED);
const INTERRUPTED: isize = error(libc::EINTR);
pub(super) const WOULD_BLOCK: isize = error(libc::EAGAIN);
/// What an operation says that cannot be asked not to block. No result of a system call.
pub(super) const CANNOT_ASK: isize = isize::MIN;

/// How an operation is to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Without blocking: [`WOULD_BLOCK`] or [`CANNOT_ASK`] if it cannot be done so.
    Try,
    /// It can be done in part at least, as was just seen. No more than that is to be done: [`WOULD_BLOCK`] if it
    /// is nothing after all.
    Ready,
    /// As it comes, blocking the thread if need be.
    Block,
}

/// When the time of a call is over, once it is known.
type Limit = OnceCell<Option<Instant>>;

/// A blocking call on a descriptor.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) part: Part,
    pub(super) fd: c_int,
    /// What it waits for, in the terms of `poll(2)`.
    pub(super) events: i16,
    /// The socket option that limits it.
    pub(super) limit: c_int,
}

impl Call {
    pub(super) fn reading(part: Part, fd: c_int) -> Self {
        Self { part, fd, events: embed::POLLIN, limit: libc::SO_RCVTIMEO }
    }

    pub(super) fn writing(part: Part, fd: c_int) -> Self {
        Self { part, fd, events: embed::POLLOUT, limit: libc::SO_SNDTIMEO }
    }

    /// Does the operation as soon as it would not block. Its results are the kernel's.
    #[inline]
    pub(super) fn perform(self, operation: impl FnMut(How) -> isize) -> isize {
        self.perform_within(&Limit::new(), operation)
    }

    #[inline]
    fn perform_within(self, limit: &Limit, mut operation: impl FnMut(How) -> isize) -> isize {
        if embed::spend_budget()
            && let Some(error) = failure(self.yield_for_others())
        {
            return error;
        }
        match operation(How::Try) {
            WOULD_BLOCK => self.wait_and_perform(limit, &mut operation, true),
            CANNOT_ASK => self.wait_and_perform(limit, &mut operation, false),
            result => result,
        }
    }

    /// Does the operation again and again until there is an error or all is done, as what blocks does. It is
    /// told how much has been done.
    #[inline]
    pub(super) fn perform_all(self, len: usize, operation: impl FnMut(How, usize) -> isize) -> isize {
        self.perform_until(|done| done >= len, operation)
    }

    /// As [`perform_all`](Self::perform_all), until it is over with so much done.
    #[inline]
    pub(super) fn perform_until(
        self,
        is_over: impl Fn(usize) -> bool,
        mut operation: impl FnMut(How, usize) -> isize,
    ) -> isize {
        let limit = Limit::new();
        repeat(is_over, |done| {
            self.perform_within(&limit, |how| match done {
                0 => operation(how, done),
                _ => self.go_on(how, |how| operation(how, done)),
            })
        })
    }

    /// As [`perform_all`](Self::perform_all), for parts that are calls by themselves: each has the whole limit.
    #[inline]
    pub(super) fn perform_each(self, count: usize, mut operation: impl FnMut(How, usize) -> isize) -> isize {
        repeat(|done| done >= count, |done| self.perform(|how| operation(how, done)))
    }

    /// Does a later part. Who has done a part has no error, and the next call tells of it: so a connection
    /// that has ended is left alone.
    fn go_on(self, how: How, operation: impl FnOnce(How) -> isize) -> isize {
        match readiness(self.fd, self.events) {
            0 if how == How::Try => WOULD_BLOCK,
            ready if ready & libc::POLLHUP != 0 && !self.has_more_to_read() => 0,
            _ => operation(how),
        }
    }

    /// Whether this is to read what has come before the end. Where that is not known, it is tried.
    fn has_more_to_read(self) -> bool {
        if self.events != embed::POLLIN {
            return false;
        }
        let mut len: c_int = 0;
        let room = &raw mut len as usize;
        // SAFETY: there is room for what it writes.
        let result = unsafe { call3(libc::SYS_ioctl, self.fd as usize, libc::FIONREAD as usize, room) };
        result < 0 || len > 0
    }

    /// A file is never waited for, and what reads one may be an allocator that is about to begin. What
    /// does not block sees to the others by itself, and may be a signal handler.
    #[cold]
    fn yield_for_others(self) -> Ended {
        if is_nonblocking(self.fd) || is_file(self.fd) {
            return Ended::Woken;
        }
        embed::unless_closed(self.fd, yield_now)
    }

    #[cold]
    fn wait_and_perform(
        self,
        limit: &Limit,
        operation: &mut dyn FnMut(How) -> isize,
        can_ask: bool,
    ) -> isize {
        // A file waits for its disk in non-blocking mode as well.
        if self.part == Part::Files && is_file(self.fd) {
            return operation(How::Block);
        }
        if is_nonblocking(self.fd) {
            return if can_ask { WOULD_BLOCK } else { operation(How::Block) };
        }
        if !embed::can_wait() {
            return match panicking() {
                false => operation(How::Block),
                // The message of a panic, for one, on its way to a terminal.
                true if !can_ask && is_ready(self.fd, self.events) => match operation(How::Ready) {
                    WOULD_BLOCK => CANCELED,
                    result => result,
                },
                true => CANCELED,
            };
        }
        if !can_ask && let Some(deadline) = self.terminals_deadline() {
            return self.read_until(deadline, operation);
        }
        let deadline = self.deadline_within(limit);
        until_signal(on_signal(deadline), |signal| self.try_until_done(operation, can_ask, deadline, signal))
    }

    /// Reads a terminal that is content with no byte at all once the time is over.
    fn read_until(self, deadline: Instant, operation: &mut dyn FnMut(How) -> isize) -> isize {
        let read = |signal: &Signal<'_>| self.try_until_done(operation, false, Some(deadline), signal);
        match until_signal(OnSignal::Restart, read) {
            WOULD_BLOCK => 0,
            result => result,
        }
    }

    fn try_until_done(
        self,
        operation: &mut dyn FnMut(How) -> isize,
        mut can_ask: bool,
        deadline: Option<Instant>,
        signal: &Signal<'_>,
    ) -> isize {
        let mut patience = Patience::new(self.part, signal);
        loop {
            // What has come goes before a time that is over.
            let mut last = false;
            if can_ask || !is_ready(self.fd, self.events) {
                let ended = self.wait(deadline, signal);
                if let Some(error) = failure(ended) {
                    return error;
                }
                match ended {
                    Ended::TimedOut => last = true,
                    Ended::CannotWatch => return operation(How::Block),
                    _ => {}
                }
            }
            let result = match can_ask {
                true => operation(How::Try),
                false if is_ready(self.fd, self.events) => operation(How::Ready),
                false => WOULD_BLOCK,
            };
            match result {
                WOULD_BLOCK if last => return WOULD_BLOCK,
                WOULD_BLOCK => {}
                // Another thread has put something of another kind in its place.
                CANNOT_ASK => can_ask = false,
                result => return result,
            }
            if self.is_shut_down() {
                return operation(How::Block);
            }
            let nap = || patience.after_a_vain_wake(deadline);
            if let Some(error) = failure(embed::unless_closed(self.fd, nap)) {
                return error;
            }
        }
    }

    /// Whether nothing is to come any more. A datagram socket tells that to those who block only, and does not
    /// keep them.
    fn is_shut_down(self) -> bool {
        let mut fd = libc::pollfd { fd: self.fd, events: libc::POLLRDHUP, revents: 0 };
        self.events == embed::POLLIN
            && poll_now(slice::from_mut(&mut fd)) > 0
            && fd.revents & libc::POLLRDHUP != 0
    }

    /// Waits until the operation is worth trying.
    pub(super) fn wait(self, deadline: Option<Instant>, signal: &Signal<'_>) -> Ended {
        let wait = || embed::wait_for_fds([(self.fd, self.events)], deadline);
        signal.unless_come(|| parked(self.part, wait))
    }

    /// The limit of a call begins with its first wait, and is for all of them; but a Unix socket's begins anew with
    /// each part of what is written.
    fn deadline_within(self, limit: &Limit) -> Option<Instant> {
        let deadline = *limit.get_or_init(|| self.deadline());
        let is_unix = || socket_option::<c_int>(self.fd, libc::SO_DOMAIN) == Some(libc::AF_UNIX);
        if deadline.is_some() && self.events == embed::POLLOUT && is_unix() {
            return self.deadline();
        }
        deadline
    }

    /// When the socket's own limit is over; `None` if it has none, or is no socket.
    pub(super) fn deadline(self) -> Option<Instant> {
        let limit: libc::timeval = socket_option(self.fd, self.limit)?;
        let limit = Duration::new(limit.tv_sec as u64, limit.tv_usec as u32 * 1000);
        if limit.is_zero() { None } else { Instant::now().checked_add(limit) }
    }

    /// When a read of a terminal that is content with no byte at all gives up; `None` if it is another, or none.
    fn terminals_deadline(self) -> Option<Instant> {
        if self.events != embed::POLLIN {
            return None;
        }
        let modes = terminal_modes(self.fd)?;
        let gives_up = modes.c_lflag & libc::ICANON == 0 && modes.c_cc[libc::VMIN] == 0;
        let limit = Duration::from_millis(100) * modes.c_cc[libc::VTIME].into();
        gives_up.then(|| Instant::now() + limit)
    }
}

/// Does one part after another, until it is over or there is an error. How much has been done, or if nothing, the
/// error.
#[inline]
fn repeat(is_over: impl Fn(usize) -> bool, mut part: impl FnMut(usize) -> isize) -> isize {
    let mut done = 0;
    loop {
        let result = part(done);
        match usize::try_from(result) {
            Err(_) if done == 0 => return result,
            Err(_) => return done as isize,
            Ok(more) => {
                done += more;
                if more == 0 || is_over(done) {
                    return done as isize;
                }
            }
        }
    }
}

/// What an operation on a descriptor does when a signal has been handled: with a time limit it is not done again.
pub(super) fn on_signal(deadline: Option<Instant>) -> OnSignal {
    if deadline.is_some() { OnSignal::End } else { OnSignal::Restart }
}

/// The error of a call whose wait ended so; `None` where the operation is to be tried, or its time is over.
pub(super) fn failure(ended: Ended) -> Option<isize> {
    match ended {
        Ended::Interrupted => Some(CANCELED),
        Ended::Signalled => Some(INTERRUPTED),
        Ended::Closed => Some(error(libc::EBADF)),
        Ended::Woken | Ended::TimedOut | Ended::CannotWatch => None,
    }
}

/// For descriptors that are called ready and then are not: a datagram socket whose peer is full, one that
/// another process reads from as well.
pub(super) struct Patience<'a> {
    part: Part,
    signal: &'a Signal<'a>,
    vain: u32,
}

impl<'a> Patience<'a> {
    pub(super) fn new(part: Part, signal: &'a Signal<'a>) -> Self {
        Self { part, signal, vain: 0 }
    }

    pub(super) fn after_a_vain_wake(&mut self, deadline: Option<Instant>) -> Ended {
        self.vain += 1;
        if self.vain <= 2 {
            return Ended::Woken;
        }
        let nap = Duration::from_millis(1 << (self.vain - 3).min(4));
        let until = Instant::now() + nap;
        sleep_until(self.part, self.signal, deadline.map_or(until, |deadline| deadline.min(until)))
    }
}

/// Waits, and sees to `errno`: others run meanwhile.
pub(super) fn parked<R>(part: Part, wait: impl FnOnce() -> R) -> R {
    part.count_parked();
    let saved = errno();
    let result = wait();
    set_errno(saved);
    result
}

/// Waits until a time.
pub(super) fn sleep_until(part: Part, signal: &Signal<'_>, deadline: Instant) -> Ended {
    signal.unless_come(|| parked(part, || embed::sleep_until(deadline)))
}

/// Waits until a time, even if the greenlet is to come to its end.
pub(super) fn nap(part: Part, until: Instant) {
    // SAFETY: it is a local variable.
    if let Some(sleeper) = unsafe { Sleeper::new() } {
        let sleeper = pin!(sleeper);
        parked(part, || sleeper.as_ref().sleep(Some(until)));
    }
}

/// Lets others run.
#[cold]
pub(super) fn yield_now() -> Ended {
    let saved = errno();
    let ended = embed::yield_now();
    set_errno(saved);
    ended
}

pub(super) fn is_nonblocking(fd: c_int) -> bool {
    // SAFETY: takes no memory.
    let flags = unsafe { call3(libc::SYS_fcntl, fd as usize, libc::F_GETFL as usize, 0) };
    flags < 0 || flags & libc::O_NONBLOCK as isize != 0
}

/// Makes a call in non-blocking mode, and puts the mode back. Nobody else runs on this thread meanwhile.
pub(super) fn without_blocking(fd: c_int, operation: impl FnOnce() -> isize) -> isize {
    let control = |command: c_int, flags: isize| {
        // SAFETY: takes no memory.
        unsafe { call3(libc::SYS_fcntl, fd as usize, command as usize, flags as usize) }
    };
    let flags = control(libc::F_GETFL, 0);
    if flags < 0 || flags & libc::O_NONBLOCK as isize != 0 {
        return operation();
    }
    control(libc::F_SETFL, flags | libc::O_NONBLOCK as isize);
    let result = operation();
    control(libc::F_SETFL, flags);
    result
}

/// Whether it is of the kind that is always ready.
fn is_file(fd: c_int) -> bool {
    matches!(kind(fd), libc::S_IFREG | libc::S_IFBLK)
}

/// What a descriptor stands for, as `S_IFMT` has it; none of that if it is not open.
pub(super) fn kind(fd: c_int) -> libc::mode_t {
    let mut about = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: there is room for what it writes.
    unsafe { call3(libc::SYS_fstat, fd as usize, about.as_mut_ptr() as usize, 0) };
    // SAFETY: it is of numbers, for which zero will do.
    unsafe { about.assume_init() }.st_mode & libc::S_IFMT
}

/// `None` if it is no terminal.
fn terminal_modes(fd: c_int) -> Option<libc::termios> {
    let mut modes = MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: there is room for what it writes: the kernel's structure is how libc's begins.
    let result =
        unsafe { call3(libc::SYS_ioctl, fd as usize, libc::TCGETS as usize, modes.as_mut_ptr() as usize) };
    // SAFETY: it is of numbers, for which zero will do.
    (result == 0).then(|| unsafe { modes.assume_init() })
}

/// Whether an operation would not block now.
pub(super) fn is_ready(fd: c_int, events: i16) -> bool {
    readiness(fd, events) != 0
}

/// Which of the events a descriptor is ready for, and what `poll(2)` tells unasked.
fn readiness(fd: c_int, events: i16) -> i16 {
    let mut fd = libc::pollfd { fd, events, revents: 0 };
    poll_now(slice::from_mut(&mut fd));
    fd.revents
}

/// What is ready now; the kernel's result.
pub(super) fn poll_now(fds: &mut [libc::pollfd]) -> isize {
    // SAFETY: the array is as long as it says.
    unsafe { poll_at_once(fds.as_mut_ptr(), fds.len()) }
}

/// As [`poll_now`].
///
/// # Safety
///
/// As `poll`.
pub(super) unsafe fn poll_at_once(fds: *mut libc::pollfd, count: usize) -> isize {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the caller's word for the array; no signal mask is given.
    unsafe { call(libc::SYS_ppoll, [fds as usize, count, &raw const at_once as usize, 0, 8, 0]) }
}

/// A socket's option; `None` if it is no socket, or has none such.
pub(super) fn socket_option<T>(fd: c_int, option: c_int) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = mem::size_of::<T>() as libc::socklen_t;
    let args = [
        fd as usize,
        libc::SOL_SOCKET as usize,
        option as usize,
        value.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: there is room for as much as it says.
    let result = unsafe { call(libc::SYS_getsockopt, args) };
    // SAFETY: the types that are asked for are of numbers, for which zero will do.
    (result == 0).then(|| unsafe { value.assume_init() })
}
