//! Sleeping and yielding.

use std::ffi::{c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant};

use greenlet::hub::embed::{self, Ended, OnSignal, until_signal};
use libc::{clockid_t, timespec};

use super::call::{sleep_until, yield_now};
use super::raw::{answer_int, call, call3, error};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Time =>
    fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
        ours: answer_int(sleep_for(time, left, || call3(libc::SYS_nanosleep, time as usize, left as usize, 0))),
        plain: answer_int(call3(libc::SYS_nanosleep, time as usize, left as usize, 0)),
    }

    fn clock_nanosleep(clock: clockid_t, flags: c_int, time: *const timespec, left: *mut timespec) -> c_int {
        ours: -sleep_by_clock(clock, flags, time, left) as c_int,
        plain: -clock_nanosleep_plainly(clock, flags, time, left) as c_int,
    }

    fn sleep(seconds: c_uint) -> c_uint {
        ours: sleep_whole(seconds),
        plain: sleep_plainly(Duration::from_secs(seconds.into())).as_secs() as c_uint,
    }

    fn usleep(microseconds: c_uint) -> c_int {
        ours: answer_int(sleep_or_block(Duration::from_micros(microseconds.into()))),
        plain: answer_int(cut_short(sleep_plainly(Duration::from_micros(microseconds.into())))),
    }

    fn sched_yield() -> c_int {
        ours: yield_turn(),
        plain: answer_int(call3(libc::SYS_sched_yield, 0, 0, 0)),
    }
}

/// The duration, if it is one: the kernel says what is wrong with it otherwise.
///
/// # Safety
///
/// It points to one, or nowhere.
pub(super) unsafe fn duration(time: *const timespec) -> Option<Duration> {
    // SAFETY: the caller's word.
    let time = unsafe { time.as_ref() }?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds))
}

/// When a duration from now is over. What the clock cannot express is further away than any program runs.
pub(super) fn after(duration: Duration) -> Instant {
    const AGES: Duration = Duration::from_secs(1 << 32);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now + AGES)
}

/// The time that is left until an absolute one.
pub(super) fn left_until(clock: clockid_t, time: Duration) -> Duration {
    let mut now = MaybeUninit::<timespec>::zeroed();
    // SAFETY: there is room for what it writes; an unknown clock leaves zero.
    let now = unsafe {
        libc::clock_gettime(clock, now.as_mut_ptr());
        now.assume_init()
    };
    time.saturating_sub(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
}

/// Sleeps, where that does not block the thread. What is left, if a signal came. That the greenlet is to come
/// to its end is no error: the sleep is over early.
fn sleep_parked(duration: Duration) -> Option<Duration> {
    if !embed::can_wait() {
        return None;
    }
    if duration.is_zero() {
        yield_now();
        return Some(Duration::ZERO);
    }
    let deadline = after(duration);
    until_signal(OnSignal::End, |signal| {
        let mut ended = sleep_until(Part::Time, signal, deadline);
        // A wake that is no signal's was for something that has been taken back.
        while ended == Ended::Woken && !signal.has_come() && Instant::now() < deadline {
            ended = sleep_until(Part::Time, signal, deadline);
        }
        let is_cut_short = ended == Ended::Woken && signal.has_come();
        Some(if is_cut_short { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO })
    })
}

/// The result of a sleep of which so much is left.
fn cut_short(left: Duration) -> isize {
    if left.is_zero() { 0 } else { error(libc::EINTR) }
}

pub(super) fn timespec_of(duration: Duration) -> timespec {
    let seconds = duration.as_secs().try_into().unwrap_or(libc::time_t::MAX);
    timespec { tv_sec: seconds, tv_nsec: duration.subsec_nanos().into() }
}

/// # Safety
///
/// `left` may be written, or is null.
unsafe fn sleep_or(duration: Duration, left: *mut timespec, plain: impl FnOnce() -> isize) -> isize {
    let Some(rest) = sleep_parked(duration) else { return plain() };
    // SAFETY: the caller's word.
    if let Some(left) = unsafe { left.as_mut() }.filter(|_| !rest.is_zero()) {
        *left = timespec_of(rest);
    }
    cut_short(rest)
}

unsafe fn sleep_for(time: *const timespec, left: *mut timespec, plain: impl FnOnce() -> isize) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    unsafe {
        match duration(time) {
            Some(duration) => sleep_or(duration, left, plain),
            None => plain(),
        }
    }
}

unsafe fn sleep_by_clock(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> isize {
    // SAFETY: the arguments of a call that was taken over.
    let plain = || unsafe { clock_nanosleep_plainly(clock, flags, time, left) };
    let known = matches!(
        clock,
        libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME | libc::CLOCK_TAI
    );
    // SAFETY: as above.
    unsafe {
        match duration(time) {
            Some(time) if known && flags & libc::TIMER_ABSTIME != 0 => {
                sleep_or(left_until(clock, time), ptr::null_mut(), plain)
            }
            Some(duration) if known => sleep_or(duration, left, plain),
            _ => plain(),
        }
    }
}

unsafe fn clock_nanosleep_plainly(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> isize {
    if clock == libc::CLOCK_THREAD_CPUTIME_ID {
        // It would never come. The kernel has another word for that than libc.
        return error(libc::EINVAL);
    }
    let args = [clock as usize, flags as usize, time as usize, left as usize, 0, 0];
    // SAFETY: the arguments of a call that was taken over.
    unsafe { call(libc::SYS_clock_nanosleep, args) }
}

/// Blocks the thread. What is left, if a signal came.
fn sleep_plainly(duration: Duration) -> Duration {
    let time = timespec_of(duration);
    let mut left = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: reads one of them and writes the other.
    let result = unsafe { call3(libc::SYS_nanosleep, &raw const time as usize, &raw mut left as usize, 0) };
    if result == 0 { Duration::ZERO } else { Duration::new(left.tv_sec as u64, left.tv_nsec as u32) }
}

/// The whole seconds that are left.
fn sleep_whole(seconds: c_uint) -> c_uint {
    let duration = Duration::from_secs(seconds.into());
    sleep_parked(duration).unwrap_or_else(|| sleep_plainly(duration)).as_secs() as c_uint
}

fn sleep_or_block(duration: Duration) -> isize {
    cut_short(sleep_parked(duration).unwrap_or_else(|| sleep_plainly(duration)))
}

fn yield_turn() -> c_int {
    if embed::can_wait() {
        yield_now();
        return 0;
    }
    // SAFETY: takes no memory.
    answer_int(unsafe { call3(libc::SYS_sched_yield, 0, 0, 0) })
}
