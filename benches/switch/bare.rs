//! Floors: what a switch costs if nothing is checked, and what a call costs.

use std::hint::black_box;

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::Run;

/// A call of a function that is not inlined, and its return.
pub const CALL: Contestant = Contestant { name: "bare call", ways: &[(WORD, call)] };

fn call(run: &mut Run) {
    #[inline(never)]
    fn same(word: usize) -> usize {
        word
    }
    let function: fn(usize) -> usize = same;
    run.iter(|| black_box(function)(1));
}

/// The instructions of a switch and no others.
#[cfg(target_arch = "x86_64")]
pub const SWAP: Contestant = Contestant {
    name: "bare swap",
    ways: &[
        (WORD, swap::pair),
        (HUB_1000, |run| swap::hub(run, 1000)),
        (HUB_10000, |run| swap::hub(run, 10_000)),
        (RING_10000, |run| swap::ring(run, 10_000)),
        (RING_100000, |run| swap::ring(run, 100_000)),
    ],
};

/// The same, where a thread-local says who is running. That is what makes a switch symmetric: whom one
/// comes from need not be known at the place where one goes.
#[cfg(target_arch = "x86_64")]
pub const SWAP_FROM_CURRENT: Contestant =
    Contestant { name: "bare swap + current", ways: &[(WORD, swap::pair_from_current)] };

/// Their instructions are written down for x86_64 only.
#[cfg(not(target_arch = "x86_64"))]
pub const SWAP: Contestant = Contestant { name: "bare swap", ways: &[] };
#[cfg(not(target_arch = "x86_64"))]
pub const SWAP_FROM_CURRENT: Contestant = Contestant { name: "bare swap + current", ways: &[] };

#[cfg(target_arch = "x86_64")]
mod swap {
    use std::arch::asm;
    use std::cell::Cell;
    use std::hint::black_box;
    use std::ptr;

    use crate::rows::STACK;
    use crate::suite::run::Run;

    /// Where somebody stands who is not running, and whom they go to next.
    #[derive(Clone, Copy)]
    struct Place {
        sp: usize,
        next: *mut Place,
    }

    /// Goes to where somebody stands, and writes down where the caller stood.
    ///
    /// # Safety
    ///
    /// `to` is what was written down for somebody who left by this function, or is about to begin; `save`
    /// is writable.
    #[inline(always)]
    unsafe fn swap(save: *mut usize, to: usize, mut word: usize, whom: *mut Place) -> usize {
        // SAFETY: every callee-saved register is saved or declared clobbered. Who begins finds the word and
        // its own place in the registers of the first two arguments.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "lea rax, [rip + 2f]",
                "push rax",
                "mov [rdx], rsp",
                "mov rsp, rcx",
                "pop rax",
                "jmp rax",
                "2:",
                "pop rbp",
                "pop rbx",
                inout("rdi") word,
                inout("rsi") whom => _,
                inout("rdx") save => _,
                inout("rcx") to => _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                clobber_abi("sysv64"),
            );
        }
        word
    }

    /// Two who know each other need no more than this.
    static mut MAIN: usize = 0;
    static mut OTHER: usize = 0;

    extern "sysv64" fn back(mut word: usize) -> ! {
        loop {
            // SAFETY: this is the other one, and main waits.
            word = unsafe { swap(&raw mut OTHER, MAIN, word, ptr::null_mut()) };
        }
    }

    thread_local! {
        /// Where the place of who runs is to be written down.
        static CURRENT: Cell<*mut usize> = const { Cell::new(&raw mut MAIN) };
    }

    /// As [`swap`], from wherever this runs.
    #[inline(always)]
    unsafe fn swap_from_current(to: *mut usize, word: usize) -> usize {
        let from = CURRENT.with(|current| current.replace(to));
        // SAFETY: as the caller promises.
        unsafe { swap(from, *to, word, ptr::null_mut()) }
    }

    extern "sysv64" fn back_from_current(mut word: usize) -> ! {
        loop {
            // SAFETY: this is the other one, and main waits.
            word = unsafe { swap_from_current(&raw mut MAIN, word) };
        }
    }

    extern "sysv64" fn pass_on(mut word: usize, me: *mut Place) -> ! {
        loop {
            // SAFETY: this is where it runs, and who is next waits.
            word = unsafe { (*me).pass_on(word) };
        }
    }

    impl Place {
        /// Goes from here to who is next.
        ///
        /// # Safety
        ///
        /// The caller stands here, and who is next waits.
        #[inline(always)]
        unsafe fn pass_on(&mut self, word: usize) -> usize {
            // SAFETY: as the caller promises.
            unsafe { swap(&raw mut self.sp, (*self.next).sp, word, self.next) }
        }
    }

    /// Main, and places with stacks on which nobody has begun yet.
    struct Crowd {
        main: Box<Place>,
        places: Box<[Place]>,
        stacks: *mut libc::c_void,
    }

    impl Crowd {
        fn new(count: usize, body: *const ()) -> Self {
            let (read_write, private) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
            // SAFETY: a new mapping of our own.
            let stacks = unsafe { libc::mmap(ptr::null_mut(), count * STACK, read_write, private, -1, 0) };
            assert_ne!(stacks, libc::MAP_FAILED, "address space for {count} stacks");
            let mut main = Box::new(Place { sp: 0, next: ptr::null_mut() });
            let place = |n: usize| {
                // As in the crate, first frames do not all begin in the same set of the cache. What
                // begins stands 8 off a multiple of 16, as after a call.
                let sp = stacks as usize + (n + 1) * STACK - 64 * (n % 16) - 16;
                // SAFETY: the top of the stack is in the mapping.
                unsafe { *(sp as *mut usize) = body as usize };
                Place { sp, next: &raw mut *main }
            };
            let places = (0..count).map(place).collect();
            Self { main, places, stacks }
        }
    }

    impl Drop for Crowd {
        fn drop(&mut self) {
            // SAFETY: the mapping is ours, and nobody goes to its stacks any more.
            unsafe { libc::munmap(self.stacks, self.places.len() * STACK) };
        }
    }

    /// From main to one other and back.
    pub fn pair(run: &mut Run) {
        let crowd = Crowd::new(1, back as *const ());
        // SAFETY: nobody else runs.
        unsafe { OTHER = crowd.places[0].sp };
        // SAFETY: main is where this runs, and the other one waits.
        run.iter(|| unsafe { swap(&raw mut MAIN, OTHER, black_box(1), ptr::null_mut()) });
    }

    /// The same, where both look up who they are.
    pub fn pair_from_current(run: &mut Run) {
        let crowd = Crowd::new(1, back_from_current as *const ());
        // SAFETY: nobody else runs.
        unsafe { OTHER = crowd.places[0].sp };
        // SAFETY: main is where this runs, and the other one waits.
        run.iter(|| unsafe { swap_from_current(&raw mut OTHER, black_box(1)) });
    }

    /// From main to each and back.
    pub fn hub(run: &mut Run, count: usize) {
        let mut crowd = Crowd::new(count, pass_on as *const ());
        let main = &raw mut *crowd.main;
        let mut word = 1;
        run.iter(|| {
            for place in &mut crowd.places {
                // SAFETY: main is where this runs, and everybody else waits.
                word = unsafe {
                    (*main).next = place;
                    (*main).pass_on(word)
                };
            }
        });
    }

    /// From main to the first, from each to the next, and from the last to main.
    pub fn ring(run: &mut Run, count: usize) {
        let mut crowd = Crowd::new(count, pass_on as *const ());
        let first = crowd.places.as_mut_ptr();
        for n in 1..count {
            // SAFETY: there are `count` of them.
            unsafe { (*first.add(n - 1)).next = first.add(n) };
        }
        crowd.main.next = first;
        let mut word = 1;
        // SAFETY: main is where this runs, and everybody else waits.
        run.iter(|| word = unsafe { crowd.main.pass_on(word) });
    }
}
