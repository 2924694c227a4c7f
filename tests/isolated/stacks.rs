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
        // Two epochs, of which one began before the peak. Fewer would always get the same stacks.
        (0..5 * MANY).for_each(|_| peak(3));
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

/// Where the frames of whoever calls are: which stack of that size it stands on.
fn slot(size: usize) -> usize {
    let here = 0u8;
    std::hint::black_box(&here as *const u8).addr() / size
}

#[test]
fn a_greenlet_has_the_stack_size_that_it_asks_for_whatever_the_last_one_had() {
    fn deep(bytes: usize) -> usize {
        let frame = std::hint::black_box([1u8; 1024]);
        usize::from(frame[bytes % 1024]) + if bytes > 2048 { deep(bytes - 1024) } else { 0 }
    }
    passes("stacks::a_greenlet_has_the_stack_size_that_it_asks_for_whatever_the_last_one_had", || {
        let sizes = [64 << 10, 4 << 20, 64 << 10, 1 << 20, 8 << 20];
        for size in sizes {
            // A debug build's frames are several times as large.
            let greenlet = Greenlet::builder().stack_size(size).build(move |()| assert!(deep(size / 8) > 1));
            greenlet.switch(());
            assert!(greenlet.is_dead());
        }
    });
}

#[test]
fn the_last_stack_is_for_whoever_starts_first_and_for_one_only() {
    const SIZE: usize = 128 << 10;
    passes("stacks::the_last_stack_is_for_whoever_starts_first_and_for_one_only", || {
        let place = || Greenlet::builder().stack_size(SIZE).build(|_| slot(SIZE));
        let waiting = || {
            let main = Greenlet::<usize>::current();
            Greenlet::builder().stack_size(SIZE).build(move |_| main.switch(slot(SIZE)))
        };
        let last = place().switch(0);
        // Made of the block that has the last stack, and left unstarted.
        let (first, second) = (place(), place());
        let stays = waiting();
        assert_eq!(stays.switch(0), last, "who starts first has it");
        let others = [first.switch(0), second.switch(0)];
        assert!(!others.contains(&last), "somebody stands on it");
        assert_eq!(stays.switch(7), 7);
        drop((first, second, stays));
        // Made of that block again, and started.
        let (stays, others) = (waiting(), [waiting(), waiting(), waiting(), waiting()]);
        assert_eq!(stays.switch(0), last, "it has what its block has");
        assert!(others.iter().all(|other| other.switch(0) != last), "somebody stands on it");
        assert_eq!(stays.switch(8), 8);
    });
}

#[test]
fn the_last_stack_gives_its_memory_back_when_the_program_says_so() {
    const SIZE: usize = 8 << 20;
    fn touch(bytes: usize) {
        let frame = std::hint::black_box([1u8; PAGE]);
        if bytes > 2 * PAGE {
            touch(bytes - PAGE);
        }
        std::hint::black_box(frame);
    }
    keeps_memory_so("stacks::the_last_stack_gives_its_memory_back_when_the_program_says_so", || {
        let deep = || Greenlet::builder().stack_size(SIZE).build(|()| touch(SIZE / 16));
        deep().switch(());
        // Of the same block, and never started.
        let unstarted = deep();
        let before = resident();
        greenlet::trim_stacks();
        let freed = before.saturating_sub(resident());
        assert!(freed > SIZE / 20, "{freed} bytes");
        unstarted.switch(());
    });
}
