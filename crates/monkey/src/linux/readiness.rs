//! Waiting for several descriptors: `poll`, `select`, `epoll_wait` and their kin.
//!
//! The kernel is asked what is ready now. Only if that is nothing does the greenlet park, and then it asks
//! again. A call that changes the signal mask while it waits is left to block: masks are the thread's.

use std::array;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use greenlet::hub::embed::{self, Ended, OnSignal, Signal, until_signal};
use libc::{epoll_event, fd_set, nfds_t, pollfd, size_t, timespec, timeval};

use super::call::{Patience, failure, parked, poll_at_once, sleep_until, yield_now};
use super::epoll_set::EpollSet;
use super::raw::{answer_int, call, error};
use super::take_over::take_over;
use super::time::{after, duration, timespec_of};
use crate::Part;

take_over! { Part::Poll =>
    fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
        ours: answer_int(poll_or_wait(fds, count, milliseconds(timeout), timeout < 0, || {
            poll_plainly(fds, count, timeout)
        })),
        plain: answer_int(poll_plainly(fds, count, timeout)),
    }

    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int {
        ours: answer_int(poll_or_wait(fds, fitting(count, room), milliseconds(timeout), timeout < 0, || {
            poll_plainly(fds, count, timeout)
        })),
        plain: answer_int(poll_plainly(fds, fitting(count, room), timeout)),
    }

    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void) -> c_int {
        ours: answer_int(ppoll_or_wait(fds, count, timeout, mask)),
        plain: answer_int(ppoll_plainly(fds, count, timeout, mask)),
    }

    fn __ppoll_chk(
        fds: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        mask: *const c_void,
        room: size_t,
    ) -> c_int {
        ours: answer_int(ppoll_or_wait(fds, fitting(count, room), timeout, mask)),
        plain: answer_int(ppoll_plainly(fds, fitting(count, room), timeout, mask)),
    }

    fn select(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *mut timeval,
    ) -> c_int {
        ours: answer_int(Select { count, sets: [read, write, except] }.perform_for(timeout)),
        plain: answer_int(Select { count, sets: [read, write, except] }.block_for(timeout)),
    }

    fn pselect(
        count: c_int,
        read: *mut fd_set,
        write: *mut fd_set,
        except: *mut fd_set,
        timeout: *const timespec,
        mask: *const c_void,
    ) -> c_int {
        ours: answer_int(Select { count, sets: [read, write, except] }.perform_until(timeout, mask)),
        plain: answer_int(Select { count, sets: [read, write, except] }.block(timeout, mask)),
    }

    fn epoll_wait(epoll: c_int, events: *mut epoll_event, room: c_int, timeout: c_int) -> c_int {
        ours: answer_int(wait_for_epoll(epoll, milliseconds(timeout), timeout < 0, |timeout| {
            epoll_plainly(epoll, events, room, timeout, std::ptr::null())
        }, || epoll_plainly(epoll, events, room, timeout, std::ptr::null()))),
        plain: answer_int(epoll_plainly(epoll, events, room, timeout, std::ptr::null())),
    }

    fn epoll_pwait(
        epoll: c_int,
        events: *mut epoll_event,
        room: c_int,
        timeout: c_int,
        mask: *const c_void,
    ) -> c_int {
        ours: answer_int(match mask.is_null() {
            true => wait_for_epoll(epoll, milliseconds(timeout), timeout < 0, |timeout| {
                epoll_plainly(epoll, events, room, timeout, mask)
            }, || epoll_plainly(epoll, events, room, timeout, mask)),
            false => epoll_plainly(epoll, events, room, timeout, mask),
        }),
        plain: answer_int(epoll_plainly(epoll, events, room, timeout, mask)),
    }

    fn epoll_pwait2(
        epoll: c_int,
        events: *mut epoll_event,
        room: c_int,
        timeout: *const timespec,
        mask: *const c_void,
    ) -> c_int {
        ours: answer_int(match mask.is_null() {
            true => wait_for_epoll(epoll, duration(timeout), timeout.is_null(), |timeout| {
                epoll_plainly(epoll, events, room, timeout, mask)
            }, || epoll_to_the_nanosecond(epoll, events, room, timeout, mask)),
            false => epoll_to_the_nanosecond(epoll, events, room, timeout, mask),
        }),
        plain: answer_int(epoll_to_the_nanosecond(epoll, events, room, timeout, mask)),
    }
}

/// The size of the kernel's signal mask.
const MASK_SIZE: usize = 8;

fn milliseconds(timeout: c_int) -> Option<Duration> {
    u64::try_from(timeout).ok().map(Duration::from_millis)
}

/// Ends the program if the array is too small, as libc's `__poll_chk` does.
fn fitting(count: nfds_t, room: size_t) -> nfds_t {
    if count as usize > room / size_of::<pollfd>() {
        // SAFETY: takes nothing.
        unsafe { libc::abort() }
    }
    count
}

unsafe fn poll_plainly(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> isize {
    let time = milliseconds(timeout).map(timespec_of);
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the caller's word.
    unsafe { ppoll_plainly(fds, count, time, std::ptr::null()) }
}

unsafe fn ppoll_plainly(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const c_void,
) -> isize {
    // The kernel writes what is left of the time, and libc does not.
    // SAFETY: the caller's word.
    let copy = unsafe { timeout.as_ref() }.copied();
    let timeout = copy.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: as above.
    unsafe {
        call(libc::SYS_ppoll, [fds as usize, count as usize, timeout as usize, mask as usize, MASK_SIZE, 0])
    }
}

/// Asks until something is ready or the time is over. `ask` must not block, and `wait` waits until it is worth
/// asking again.
fn ask_and_wait(
    timeout: Option<Duration>,
    mut ask: impl FnMut() -> isize,
    wait: impl FnMut(Option<Instant>, &Signal<'_>) -> Ended,
    block: impl FnOnce() -> isize,
) -> isize {
    if embed::spend_budget()
        && let Some(error) = failure(yield_now())
    {
        return error;
    }
    let ready = ask();
    if ready != 0 || timeout == Some(Duration::ZERO) {
        return ready;
    }
    if !embed::can_wait() {
        return block();
    }
    let deadline = timeout.map(after);
    until_signal(OnSignal::End, |signal| wait_and_ask(deadline, ask, wait, signal))
}

fn wait_and_ask(
    deadline: Option<Instant>,
    mut ask: impl FnMut() -> isize,
    mut wait: impl FnMut(Option<Instant>, &Signal<'_>) -> Ended,
    signal: &Signal<'_>,
) -> isize {
    let mut patience = Patience::new(Part::Poll, signal);
    loop {
        match wait(deadline, signal) {
            Ended::TimedOut => return ask(),
            // What it is now called by is for the kernel to say.
            Ended::Closed => {}
            ended => {
                if let Some(error) = failure(ended) {
                    return error;
                }
            }
        }
        let ready = ask();
        if ready != 0 || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return ready;
        }
        if let Some(error) = failure(patience.after_a_vain_wake(deadline)) {
            return error;
        }
    }
}

unsafe fn poll_or_wait(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: Option<Duration>,
    forever: bool,
    block: impl FnOnce() -> isize,
) -> isize {
    if timeout.is_none() && !forever {
        // Not a time at all: the kernel says so.
        return block();
    }
    // SAFETY: the arguments of a call that was taken over.
    let ask = || unsafe { poll_at_once(fds, count as usize) };
    let wait = |deadline: Option<Instant>, signal: &Signal<'_>| {
        // An array that is none was an error when it was asked for.
        let fds =
            // SAFETY: as above.
            if fds.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(fds, count as usize) } };
        wait_for_any(fds, deadline, signal)
    };
    ask_and_wait(timeout, ask, wait, block)
}

unsafe fn ppoll_or_wait(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const c_void,
) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let block = || unsafe { ppoll_plainly(fds, count, timeout, mask) };
    if !mask.is_null() {
        return block();
    }
    // SAFETY: as above.
    unsafe { poll_or_wait(fds, count, duration(timeout), timeout.is_null(), block) }
}

/// Waits until one of the descriptors may be ready.
fn wait_for_any(fds: &[pollfd], deadline: Option<Instant>, signal: &Signal<'_>) -> Ended {
    match fds.len() {
        0 => wait_for::<1>(fds, deadline, signal),
        1 => wait_for::<1>(fds, deadline, signal),
        2..=4 => wait_for::<4>(fds, deadline, signal),
        5..=16 => wait_for::<16>(fds, deadline, signal),
        _ => match EpollSet::new(fds) {
            Ok(set) => {
                let fd = pollfd { fd: set.fd(), events: libc::POLLIN, revents: 0 };
                wait_for::<1>(&[fd], deadline, signal)
            }
            // Out of descriptors, or one that cannot be watched: look again in a while.
            Err(_) => {
                let soon = after(Duration::from_millis(10));
                let until = deadline.map_or(soon, |deadline| deadline.min(soon));
                match sleep_until(Part::Poll, signal, until) {
                    Ended::TimedOut => Ended::Woken,
                    ended => ended,
                }
            }
        },
    }
}

fn wait_for<const N: usize>(fds: &[pollfd], deadline: Option<Instant>, signal: &Signal<'_>) -> Ended {
    let fds: [_; N] = array::from_fn(|at| fds.get(at).map_or((-1, 0), |fd| (fd.fd, fd.events)));
    signal.unless_come(|| parked(Part::Poll, || embed::wait_for_fds(fds, deadline)))
}

/// The arguments of a `select`.
struct Select {
    count: c_int,
    sets: [*mut fd_set; 3],
}

/// As many descriptors as libc's type has room for.
const SET_SIZE: usize = libc::FD_SETSIZE;

impl Select {
    /// # Safety
    ///
    /// The sets are as `select` takes them.
    unsafe fn block_for(&self, timeout: *mut timeval) -> isize {
        // SAFETY: the caller's word.
        let mut time = unsafe { timeout.as_ref() }.map(|time| timespec {
            tv_sec: time.tv_sec,
            tv_nsec: (time.tv_usec as libc::c_long).saturating_mul(1000),
        });
        let result =
            // SAFETY: as above.
            unsafe { self.ask(time.as_mut().map_or(std::ptr::null_mut(), |time| time), std::ptr::null()) };
        // SAFETY: as above.
        if let (Some(time), Some(timeout)) = (time, unsafe { timeout.as_mut() }) {
            (timeout.tv_sec, timeout.tv_usec) = (time.tv_sec, (time.tv_nsec / 1000) as libc::suseconds_t);
        }
        result
    }

    unsafe fn block(&self, timeout: *const timespec, mask: *const c_void) -> isize {
        // SAFETY: the caller's word. The kernel writes what is left of the time, and libc does not.
        let mut time = unsafe { timeout.as_ref() }.copied();
        // SAFETY: as above.
        unsafe { self.ask(time.as_mut().map_or(std::ptr::null_mut(), |time| time), mask) }
    }

    unsafe fn ask(&self, timeout: *mut timespec, mask: *const c_void) -> isize {
        let mask = [mask as usize, MASK_SIZE];
        let [read, write, except] = self.sets.map(|set| set as usize);
        let mask = if mask[0] == 0 { 0 } else { &raw const mask as usize };
        // SAFETY: the caller's word.
        unsafe {
            call(libc::SYS_pselect6, [self.count as usize, read, write, except, timeout as usize, mask])
        }
    }

    unsafe fn perform_for(&self, timeout: *mut timeval) -> isize {
        // SAFETY: the caller's word.
        let Some(given) = (unsafe { timeout.as_mut() }) else {
            // SAFETY: as above.
            return unsafe { self.perform(None, || self.block_for(timeout)) };
        };
        let (Ok(seconds), Ok(microseconds)) = (u64::try_from(given.tv_sec), u64::try_from(given.tv_usec))
        else {
            return error(libc::EINVAL);
        };
        let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(microseconds));
        let deadline = after(time);
        // SAFETY: as above.
        let result = unsafe { self.perform(Some(time), || self.block_for(timeout)) };
        // Linux says how much time is left.
        let left = deadline.saturating_duration_since(Instant::now());
        (given.tv_sec, given.tv_usec) =
            (left.as_secs() as libc::time_t, left.subsec_micros() as libc::suseconds_t);
        result
    }

    unsafe fn perform_until(&self, timeout: *const timespec, mask: *const c_void) -> isize {
        // SAFETY: the caller's word.
        unsafe {
            let time = duration(timeout);
            if !mask.is_null() || (time.is_none() && !timeout.is_null()) {
                return self.block(timeout, mask);
            }
            self.perform(time, || self.block(timeout, mask))
        }
    }

    unsafe fn perform(&self, timeout: Option<Duration>, block: impl FnOnce() -> isize) -> isize {
        if self.count < 0 || self.count as usize > SET_SIZE {
            return block();
        }
        // What is asked for, since an answer overwrites it.
        let mut asked = [MaybeUninit::<fd_set>::zeroed(); 3];
        let bytes = (self.count as usize).div_ceil(usize::BITS as usize) * size_of::<usize>();
        let copy = |from: *const u8, to: *mut u8| {
            // SAFETY: sets are words, of which the call uses so many.
            unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
        };
        for (asked, set) in asked.iter_mut().zip(self.sets).filter(|(_, set)| !set.is_null()) {
            copy(set.cast(), asked.as_mut_ptr().cast());
        }
        let restore = || {
            for (asked, set) in asked.iter().zip(self.sets).filter(|(_, set)| !set.is_null()) {
                copy(asked.as_ptr().cast(), set.cast());
            }
        };
        let ask = || {
            restore();
            let mut at_once = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the caller's word.
            unsafe { self.ask(&mut at_once, std::ptr::null()) }
        };
        let wait = |deadline: Option<Instant>, signal: &Signal<'_>| self.wait(&asked, deadline, signal);
        let result = ask_and_wait(timeout, ask, wait, block);
        if result < 0 {
            // An error leaves the sets as they were, so that a caller may just ask again.
            restore();
        }
        result
    }

    fn wait(
        &self,
        asked: &[MaybeUninit<fd_set>; 3],
        deadline: Option<Instant>,
        signal: &Signal<'_>,
    ) -> Ended {
        const EVENTS: [i16; 3] = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];
        let mut fds = [pollfd { fd: -1, events: 0, revents: 0 }; SET_SIZE];
        let mut count = 0;
        for fd in 0..self.count {
            // SAFETY: zero is an empty set, and the number fits.
            let is_in = |set: &MaybeUninit<fd_set>| unsafe { libc::FD_ISSET(fd, set.as_ptr()) };
            let events = asked.iter().zip(EVENTS).filter(|(set, _)| is_in(set));
            let events = events.fold(0, |all, (_, events)| all | events);
            if events != 0 {
                fds[count] = pollfd { fd, events, revents: 0 };
                count += 1;
            }
        }
        wait_for_any(&fds[..count], deadline, signal)
    }
}

unsafe fn epoll_plainly(
    epoll: c_int,
    events: *mut epoll_event,
    room: c_int,
    timeout: c_int,
    mask: *const c_void,
) -> isize {
    let args = [epoll as usize, events as usize, room as usize, timeout as usize, mask as usize, MASK_SIZE];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_epoll_pwait, args) }
}

unsafe fn epoll_to_the_nanosecond(
    epoll: c_int,
    events: *mut epoll_event,
    room: c_int,
    timeout: *const timespec,
    mask: *const c_void,
) -> isize {
    let args = [epoll as usize, events as usize, room as usize, timeout as usize, mask as usize, MASK_SIZE];
    // SAFETY: the caller's word.
    unsafe { call(libc::SYS_epoll_pwait2, args) }
}

/// An epoll instance is itself a descriptor that can be waited for.
fn wait_for_epoll(
    epoll: c_int,
    timeout: Option<Duration>,
    forever: bool,
    ask: impl Fn(c_int) -> isize,
    block: impl FnOnce() -> isize,
) -> isize {
    if timeout.is_none() && !forever {
        return block();
    }
    let fd = pollfd { fd: epoll, events: libc::POLLIN, revents: 0 };
    ask_and_wait(
        timeout,
        || ask(0),
        |deadline, signal: &Signal<'_>| wait_for::<1>(&[fd], deadline, signal),
        block,
    )
}
