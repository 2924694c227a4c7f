//! `syscall`, for the futexes of which std, parking_lot and others make their locks.
//!
//! A greenlet that waits hangs in a table that all threads share, under its futex's address. Whoever wakes a
//! futex, on whichever thread, looks there first, and then has the kernel wake threads. The lock of a
//! place in the table is held while the futex's value is looked at, as in the kernel, so no wake is lost.
//!
//! A wait for a lock ends when the lock is free, whoever is killed: only one wake for no reason tells of that,
//! which every user of futexes is ready for.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_long};
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering, compiler_fence};
use std::time::{Duration, Instant};

use greenlet::hub::embed::{Ended, Sleeper, has_hub};
use libc::timespec;

use super::call::{WOULD_BLOCK, parked};
use super::next::Next;
use super::raw::{answer, call, call3, error};
use super::time::{after, duration, left_until};
use crate::Part;

pub(super) const SYMBOLS: &[&str] = &["syscall"];

type Arguments = [usize; 6];

const TIMED_OUT: isize = error(libc::ETIMEDOUT);

/// Not defined as the others are: a wake by a thread that has no hub concerns those that have one.
///
/// libc's is variadic. On both processors, integers travel in the same registers all the same.
// SAFETY: it does what libc's does, so whoever calls that may call this.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    static NEXT: Next = Next::of(c"syscall");
    let args = [a, b, c, d, e, f];
    if number == libc::SYS_futex && Part::Sync.is_on() {
        // SAFETY: the arguments are as libc's function takes them.
        return answer(unsafe { futex(args) }) as c_long;
    }
    match NEXT.address() {
        // SAFETY: libc's function, with as many arguments as any system call has.
        Some(next) => unsafe {
            let next: unsafe extern "C" fn(c_long, ...) -> c_long = std::mem::transmute(next);
            next(number, a, b, c, d, e, f)
        },
        // SAFETY: the arguments are as libc's function takes them.
        None => answer(unsafe { call(number, args) }) as c_long,
    }
}

/// # Safety
///
/// The arguments are those of a `futex` system call.
unsafe fn futex(args: Arguments) -> isize {
    let [_, operation, value, _, _, bits] = args;
    let operation = operation as c_int;
    if has_hub() {
        Part::Sync.count_call();
    } else {
        Part::Sync.count_passed();
    }
    // SAFETY: the caller's word.
    match operation & libc::FUTEX_CMD_MASK {
        // SAFETY: as above.
        libc::FUTEX_WAIT if has_hub() => unsafe { wait_for_call(args, u32::MAX) },
        // SAFETY: as above.
        libc::FUTEX_WAIT_BITSET if has_hub() => unsafe { wait_for_call(args, bits as u32) },
        // SAFETY: as above.
        libc::FUTEX_WAKE => unsafe { wake_for_call(args, number(value), u32::MAX) },
        // SAFETY: as above.
        libc::FUTEX_WAKE_BITSET => unsafe { wake_for_call(args, number(value), bits as u32) },
        // SAFETY: as above.
        libc::FUTEX_WAKE_OP => unsafe { wake_two_for_call(args) },
        // SAFETY: as above.
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE => unsafe { requeue_for_call(args) },
        // SAFETY: as above.
        _ => unsafe { call(libc::SYS_futex, args) },
    }
}

/// # Safety
///
/// As [`futex`].
unsafe fn wait_for_call(args: Arguments, bits: u32) -> isize {
    /// A futex that other processes share may be woken by one of them, where nobody hears it here. For
    /// this long at most: then its user looks again, or, if there is a limit to be told of, this does.
    const SHARED: Duration = Duration::from_millis(5);
    /// Nothing is there, which the kernel has a word for.
    const FIRST_PAGE: usize = 4096;
    let [address, operation, value, timeout, ..] = args;
    let (operation, time) = (operation as c_int, timeout as *const timespec);
    // SAFETY: the caller's word.
    let limit = unsafe { duration(time) };
    let odd = address < FIRST_PAGE
        || address % align_of::<AtomicU32>() != 0
        || bits == 0
        || (limit.is_none() && !time.is_null());
    let deadline = limit.map(|limit| match operation & libc::FUTEX_CMD_MASK {
        libc::FUTEX_WAIT => after(limit),
        _ if operation & libc::FUTEX_CLOCK_REALTIME != 0 => after(left_until(libc::CLOCK_REALTIME, limit)),
        _ => after(left_until(libc::CLOCK_MONOTONIC, limit)),
    });
    let shared = operation & libc::FUTEX_PRIVATE_FLAG == 0;
    let mut looks = 0;
    let waited = loop {
        if odd {
            break None;
        }
        let look_again = shared.then(|| after(SHARED));
        let until = look_again.into_iter().chain(deadline).min();
        // SAFETY: as above; the address is that of a futex, if it is one at all.
        match unsafe { wait(address as *const AtomicU32, value as u32, bits, until) } {
            Some(TIMED_OUT) if until != deadline && deadline.is_some() => looks += 1,
            Some(TIMED_OUT) if until != deadline => break Some(0),
            Some(WOULD_BLOCK) if looks > 0 => break Some(0),
            waited => break waited,
        }
    };
    match waited {
        None => {
            BLOCKED_HUBS.fetch_add(1, Ordering::SeqCst);
            // SAFETY: as above.
            let result = unsafe { call(libc::SYS_futex, args) };
            BLOCKED_HUBS.fetch_sub(1, Ordering::SeqCst);
            result
        }
        Some(result) => result,
    }
}

/// How many threads with a hub wait in the kernel, where they could not park. A wake that such a thread needs
/// may not be spent on a greenlet that waits for the same futex and can only run on that very thread.
static BLOCKED_HUBS: AtomicUsize = AtomicUsize::new(0);

/// # Safety
///
/// As [`futex`].
unsafe fn wake_for_call(mut args: Arguments, count: usize, bits: u32) -> isize {
    let woken = wake(args[0], count, bits);
    if BLOCKED_HUBS.load(Ordering::SeqCst) == 0 {
        if woken > 0 && woken >= count {
            return woken as isize;
        }
        args[2] -= woken;
    }
    // SAFETY: the caller's word.
    let others = unsafe { call(libc::SYS_futex, args) };
    if others < 0 { others } else { others + woken as isize }
}

/// Wakes those who wait for a futex, and on a condition that only the kernel knows those who wait for another
/// one: greenlets in any case, who are ready for a wake for no reason.
///
/// # Safety
///
/// As [`futex`].
unsafe fn wake_two_for_call(args: Arguments) -> isize {
    let [first, _, count, second_count, second, _] = args;
    // SAFETY: the caller's word.
    let others = unsafe { call(libc::SYS_futex, args) };
    if others < 0 {
        return others;
    }
    let woken = wake(first, number(count), u32::MAX) + wake(second, number(second_count), u32::MAX);
    others + woken as isize
}

/// Wakes some who wait for a futex, and has others wait for another one. Of greenlets those others are woken as
/// well, and look again.
///
/// # Safety
///
/// As [`futex`].
unsafe fn requeue_for_call(args: Arguments) -> isize {
    let [first, _, count, moved_count, ..] = args;
    // SAFETY: the caller's word.
    let others = unsafe { call(libc::SYS_futex, args) };
    if others < 0 {
        return others;
    }
    others + wake(first, number(count).saturating_add(number(moved_count)), u32::MAX) as isize
}

/// How many are to be woken, as an argument has it.
fn number(count: usize) -> usize {
    usize::try_from(count as c_int).unwrap_or(0)
}

/// Waits in the table, as the kernel would; `None` where nobody can wait.
///
/// # Safety
///
/// The futex exists until this returns.
pub(super) unsafe fn wait(
    futex: *const AtomicU32,
    value: u32,
    bits: u32,
    deadline: Option<Instant>,
) -> Option<isize> {
    let mut waiter = pin!(Waiter {
        futex: futex as usize,
        bits,
        // SAFETY: it is part of a local variable.
        sleeper: unsafe { Sleeper::new() }?,
        next: ptr::null_mut(),
        queued: true,
    });
    let place = place(futex as usize);
    // SAFETY: it is not moved by that.
    let this: *mut Waiter = unsafe { Pin::get_unchecked_mut(waiter.as_mut()) };
    {
        let queue = place.lock();
        // SAFETY: the caller's word.
        if unsafe { &*futex }.load(Ordering::SeqCst) != value {
            return Some(WOULD_BLOCK);
        }
        queue.push(this);
    }
    // SAFETY: part of what is pinned. Others change `next` and `queued` only.
    let sleeper = unsafe { Pin::new_unchecked(&(*this).sleeper) };
    let ended = parked(Part::Sync, || sleeper.sleep(deadline));
    // Whoever wakes it is through with it when the lock is free.
    let woken = !place.lock().remove(this);
    Some(if !woken && ended == Ended::TimedOut { TIMED_OUT } else { 0 })
}

/// Wakes so many greenlets that wait for a futex, in the order in which they came. How many there were.
pub(super) fn wake(futex: usize, count: usize, bits: u32) -> usize {
    place(futex).wake(count, |waiter| waiter.futex == futex && waiter.bits & bits != 0)
}

/// In a forked child, where nobody waits.
///
/// # Safety
///
/// No other thread exists, and this one is not in the table.
pub(super) unsafe fn forget_waiters() {
    for place in &TABLE {
        // SAFETY: by the caller's word there is nobody to share it with.
        unsafe { *place.queue.get() = Ends::EMPTY };
        place.state.store(FREE, Ordering::Release);
    }
}

/// A greenlet that waits, on its own stack.
struct Waiter {
    futex: usize,
    bits: u32,
    sleeper: Sleeper,
    /// The one that came after it.
    next: *mut Waiter,
    queued: bool,
}

/// A queue of the table. Futexes share one by chance.
#[repr(align(64))]
struct Place {
    /// One of the three below.
    state: AtomicU8,
    queue: UnsafeCell<Ends>,
}

const FREE: u8 = 0;
const LOCKED: u8 = 1;
/// Locked, and who has the lock is to wake everybody: a signal handler could not wait for it.
const CALLED: u8 = 2;

thread_local! {
    /// This thread has the lock of a place, or is about to. What finds it so is a signal handler, for which that
    /// lock never becomes free.
    static HOLDS: AtomicBool = const { AtomicBool::new(false) };
}

struct Ends {
    first: *mut Waiter,
    last: *mut Waiter,
}

impl Ends {
    const EMPTY: Self = Self { first: ptr::null_mut(), last: ptr::null_mut() };
}

// SAFETY: the queue is used by whoever has the lock.
unsafe impl Sync for Place {}

const PLACES: usize = 256;

static TABLE: [Place; PLACES] =
    [const { Place { state: AtomicU8::new(FREE), queue: UnsafeCell::new(Ends::EMPTY) } }; PLACES];

fn place(futex: usize) -> &'static Place {
    // Futexes lie in words, and often side by side.
    let hash = (futex >> 2).wrapping_mul(0x9E37_79B9) >> 8;
    &TABLE[hash % PLACES]
}

impl Place {
    /// Held for a few instructions only, and for a system call if a hub sleeps that is to wake.
    fn lock(&self) -> Queue<'_> {
        let held_before = HOLDS.with(|holds| holds.swap(true, Ordering::Relaxed));
        compiler_fence(Ordering::SeqCst);
        let mut tries = 0_u32;
        while self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            tries += 1;
            if tries.is_multiple_of(64) {
                // Whoever has it is not running.
                // SAFETY: takes no memory.
                unsafe { call3(libc::SYS_sched_yield, 0, 0, 0) };
            }
            std::hint::spin_loop();
        }
        Queue { place: self, held_before }
    }

    /// The lock, but in a signal handler that has interrupted who has it, or another such one: `None` if it is
    /// taken. Who has it wakes everybody then, of whom each is ready for a wake for no reason.
    fn lock_or_call(&self) -> Option<Queue<'_>> {
        if !HOLDS.with(|holds| holds.load(Ordering::Relaxed)) {
            return Some(self.lock());
        }
        let lock_or_call = |state| Some(if state == FREE { LOCKED } else { CALLED });
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, lock_or_call);
        (before == Ok(FREE)).then(|| Queue { place: self, held_before: true })
    }

    /// Wakes so many that suit. How many there were.
    fn wake(&self, count: usize, suits: impl Fn(&Waiter) -> bool) -> usize {
        let Some(queue) = self.lock_or_call() else { return 0 };
        let mut woken = 0;
        while woken < count
            && let Some(waiter) = queue.take(&suits)
        {
            // SAFETY: it takes the lock once more before it goes away.
            unsafe { Sleeper::wake(&raw const (*waiter).sleeper) };
            woken += 1;
        }
        woken
    }
}

/// A queue whose lock is held until this is dropped. All that is in it exists.
struct Queue<'a> {
    place: &'a Place,
    /// Whether it was locked within a signal handler that has interrupted somebody who has a lock.
    held_before: bool,
}

impl Queue<'_> {
    #[expect(clippy::mut_from_ref, reason = "whoever has the lock is alone with it")]
    fn ends(&self) -> &mut Ends {
        // SAFETY: the lock is held, and no two of these are used at a time.
        unsafe { &mut *self.place.queue.get() }
    }

    fn push(&self, waiter: *mut Waiter) {
        let ends = self.ends();
        // SAFETY: what is in the queue exists.
        match unsafe { ends.last.as_mut() } {
            Some(last) => last.next = waiter,
            None => ends.first = waiter,
        }
        ends.last = waiter;
    }

    /// Takes out the first one that suits.
    fn take(&self, suits: impl Fn(&Waiter) -> bool) -> Option<*mut Waiter> {
        let ends = self.ends();
        let (mut before, mut at) = (ptr::null_mut::<Waiter>(), ends.first);
        // SAFETY: what is in the queue exists.
        while let Some(waiter) = unsafe { at.as_mut() } {
            if suits(waiter) {
                // SAFETY: as above.
                match unsafe { before.as_mut() } {
                    Some(before) => before.next = waiter.next,
                    None => ends.first = waiter.next,
                }
                if ends.last == at {
                    ends.last = before;
                }
                waiter.queued = false;
                return Some(at);
            }
            (before, at) = (at, waiter.next);
        }
        None
    }

    /// Takes it out; false if somebody has done so.
    fn remove(&self, waiter: *mut Waiter) -> bool {
        // SAFETY: it is the caller's, who exists.
        let queued = unsafe { (*waiter).queued };
        queued && self.take(|other| ptr::eq(other, waiter)).is_some()
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        let state = self.place.state.swap(FREE, Ordering::AcqRel);
        compiler_fence(Ordering::SeqCst);
        HOLDS.with(|holds| holds.store(self.held_before, Ordering::Relaxed));
        if state == CALLED {
            self.place.wake(usize::MAX, |_| true);
        }
    }
}
