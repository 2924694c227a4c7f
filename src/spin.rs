//! Looking again and again for what another thread is about to bring, before going to sleep.
//!
//! Who sleeps has to be woken: a system call there and one here, and the time in which an idle processor comes back,
//! which is tens of microseconds on a virtual machine. What comes sooner is cheaper waited for awake. Whether it does
//! is a matter of experience, which a [`Habit`] has: each time that nothing came it passes over twice as many sleeps
//! before it tries again, so that whoever waits for long pays next to nothing.

use std::hint::spin_loop;
#[cfg(target_os = "linux")]
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// For how long at most: somewhat longer than another thread takes to be woken and to answer.
pub(crate) const PATIENCE: Duration = Duration::from_micros(100);
/// How often, between two looks at the clock.
const LOOKS: u32 = 16;
/// At most so many sleeps are passed over, as a power of two.
const MOST_DOUBLINGS: u32 = 8;

/// Whether it has been worth it lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habit {
    in_vain: u32,
    to_pass_over: u32,
}

impl Habit {
    /// To be called before a sleep: looks for a while whether it has come, if that has been worth it. Whether it has.
    pub(crate) fn spin(&mut self, has_come: impl FnMut() -> bool) -> bool {
        self.tries() && {
            let came = spin(has_come);
            self.learn(came);
            came
        }
    }

    /// Whether to try before this sleep. Never where there is one processor: who is waited for needs it.
    fn tries(&mut self) -> bool {
        if self.to_pass_over > 0 {
            self.to_pass_over -= 1;
            return false;
        }
        has_processors()
    }

    fn learn(&mut self, came: bool) {
        self.in_vain = if came { 0 } else { (self.in_vain + 1).min(MOST_DOUBLINGS) };
        self.to_pass_over = (1 << self.in_vain) - 1;
    }
}

/// Looks until it has come, or for as long as there is [patience](PATIENCE). Whether it has.
fn spin(mut has_come: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if has_come() {
                return true;
            }
            spin_loop();
        }
        // Who is to bring it may be on this very processor, and not get to run otherwise.
        thread::yield_now();
        if start.elapsed() >= PATIENCE {
            return false;
        }
    }
}

/// Whether this process may use more than one.
fn has_processors() -> bool {
    /// How many there are, once somebody has asked. No lock, which a fork might find taken.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let known = COUNT.load(Ordering::Relaxed);
    if known > 0 {
        return known > 1;
    }
    let count = count_processors();
    COUNT.store(count, Ordering::Relaxed);
    count > 1
}

/// Those of the process's first thread: a hub may have a processor of its own, and who answers it another one. One
/// system call. What std asks besides is in files, which take stack to read, and are not there in every sandbox.
#[cfg(target_os = "linux")]
fn count_processors() -> usize {
    // SAFETY: the set is plain bits, for which zeros are right, and the call is told how many it may fill in.
    let (result, count) = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        (libc::sched_getaffinity(libc::getpid(), size_of_val(&set), &mut set), libc::CPU_COUNT(&set))
    };
    match result {
        0 => count.cast_unsigned() as usize,
        // There are more than the set has room for.
        _ if io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) => usize::MAX,
        // It is forbidden to ask.
        _ => 1,
    }
}

#[cfg(not(target_os = "linux"))]
fn count_processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::thread;

    #[cfg(target_os = "linux")]
    use super::count_processors;
    use super::{Habit, MOST_DOUBLINGS, has_processors, spin};

    /// How many sleeps are passed over before the next try.
    fn passed_over(habit: &mut Habit) -> u32 {
        (0..).find(|_| habit.to_pass_over == 0 || habit.tries()).expect("it tries some time")
    }

    #[test]
    fn what_comes_while_it_looks_ends_the_looking() {
        let mut looks = 0;
        let comes_at_the_third = || {
            looks += 1;
            looks == 3
        };
        assert!(spin(comes_at_the_third));
        assert_eq!(looks, 3);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_has_a_processor_to_itself_knows_of_the_others() {
        let of_the_process = count_processors();
        let on_one = thread::spawn(|| {
            // SAFETY: a set of plain bits, of this size; the thread is this one.
            let result = unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::sched_getaffinity(0, size_of_val(&set), &mut set);
                let first = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &set));
                libc::CPU_ZERO(&mut set);
                libc::CPU_SET(first.expect("it runs somewhere"), &mut set);
                libc::sched_setaffinity(0, size_of_val(&set), &set)
            };
            assert_eq!(result, 0);
            count_processors()
        });
        assert_eq!(on_one.join().unwrap(), of_the_process);
    }

    #[test]
    fn what_never_comes_is_given_up() {
        assert!(!spin(|| false));
    }

    #[test]
    fn tries_in_vain_become_rarer_and_one_success_makes_up_for_them() {
        let mut habit = Habit::default();
        assert_eq!(habit.tries(), has_processors());
        for tries in 1..=MOST_DOUBLINGS + 2 {
            habit.learn(false);
            assert_eq!(passed_over(&mut habit), (1 << tries.min(MOST_DOUBLINGS)) - 1);
        }
        habit.learn(true);
        assert_eq!(habit, Habit::default());
    }
}
