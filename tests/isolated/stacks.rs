//! When stacks give their memory back: not between two peaks, and not never.

use greenlet::Greenlet;

use crate::{is_emulated, passes};

/// More than what a pool keeps in any case.
const MANY: usize = 6000;
const PAGE: usize = 4096;

fn usage() -> libc::rusage {
    let mut usage = std::mem::MaybeUninit::uninit();
    // SAFETY: fills it in.
    unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()), 0);
        usage.assume_init()
    }
}

/// The memory that the process has from the system, in bytes.
fn resident() -> usize {
    let sizes = std::fs::read_to_string("/proc/self/statm").unwrap();
    sizes.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
}

/// So many greenlets at once, which come to their end one after the other.
fn peak(count: usize) {
    let main = Greenlet::<()>::current();
    let greenlet = |_| {
        let main = main.clone();
        let greenlet = Greenlet::<()>::new(move |()| main.switch(()));
        greenlet.switch(());
        greenlet
    };
    let greenlets: Vec<_> = (0..count).map(greenlet).collect();
    greenlets.iter().for_each(|greenlet| greenlet.switch(()));
}

/// An emulator's memory is counted as well, and there is more of it.
fn keeps_memory_so(case: &str, body: fn()) {
    if !is_emulated() {
        passes(case, body);
    }
}

#[test]
fn stacks_of_a_peak_keep_their_memory_for_the_next_one() {
    keeps_memory_so("stacks::stacks_of_a_peak_keep_their_memory_for_the_next_one", || {
        peak(MANY);
        let before = usage().ru_minflt;
        (0..3).for_each(|_| peak(MANY));
        let faults = usage().ru_minflt - before;
        assert!(faults < MANY as i64 / 4, "{faults} page faults");
    });
}

#[test]
fn stacks_that_nobody_has_wanted_for_long_give_their_memory_back() {
    keeps_memory_so("stacks::stacks_that_nobody_has_wanted_for_long_give_their_memory_back", || {
        peak(MANY);
        let before = resident();
        // Two epochs, of which one began before the peak. One that is alone would always get the same stack.
        (0..5 * MANY).for_each(|_| peak(2));
        let freed = before.saturating_sub(resident());
        assert!(freed > MANY / 2 * PAGE, "{freed} bytes");
    });
}

#[test]
fn stacks_give_their_memory_back_when_the_program_says_so() {
    keeps_memory_so("stacks::stacks_give_their_memory_back_when_the_program_says_so", || {
        peak(MANY);
        let before = resident();
        greenlet::trim_stacks();
        let freed = before.saturating_sub(resident());
        assert!(freed > MANY / 10 * 9 * PAGE, "{freed} bytes");
        // They are as good as ever.
        peak(MANY);
    });
}

/// Nobody runs any more, so that it is for the hub to see to it.
#[cfg(feature = "hub")]
#[test]
fn a_hub_that_has_nothing_to_do_has_stacks_give_their_memory_back() {
    use std::time::Duration;

    keeps_memory_so("stacks::a_hub_that_has_nothing_to_do_has_stacks_give_their_memory_back", || {
        let tasks: Vec<_> = (0..MANY).map(|_| greenlet::spawn(greenlet::yield_now)).collect();
        greenlet::join_all(&tasks, None);
        let before = resident();
        let (asleep, awake) = greenlet::threads::channel();
        std::thread::spawn(move || {
            while before.saturating_sub(resident()) < MANY / 2 * PAGE {
                std::thread::sleep(Duration::from_millis(10));
            }
            asleep.send(()).unwrap();
        });
        awake.recv().unwrap();
    });
}
