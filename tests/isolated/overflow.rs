//! Stacks that overflow: who is named, wherever it happens.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Barrier;

use greenlet::{Generator, Greenlet, State, Yielder};

use crate::{isolated, passes, stderr};

const STACK: usize = 128 * 1024;

pub(crate) fn overflow() {
    recurse(0);
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + black_box(frame)[0] }
}

/// A greenlet with a name that does something on a small stack.
fn named(name: &str, body: impl FnOnce() + 'static) -> Greenlet {
    Greenlet::builder().name(name).stack_size(STACK).build(move |()| body())
}

/// Overflows when it is dropped.
struct Deep;

impl Drop for Deep {
    fn drop(&mut self) {
        overflow();
    }
}

/// A greenlet that waits, and overflows when it is unwound.
fn suspended_over(name: &str) -> Greenlet {
    let maker = Greenlet::<()>::current();
    let g = named(name, move || {
        let _deep = Deep;
        maker.switch(());
    });
    g.switch(());
    g
}

/// Does something in a child of this process that has only this thread, and waits for its end.
fn in_child(body: impl FnOnce()) {
    // SAFETY: the body uses what belongs to this thread. The child is this process's own.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            body();
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

/// Whether the process was ended by this signal, natively or under an emulator.
pub(crate) fn ended_by(output: &Output, signal: i32) -> bool {
    output.status.signal() == Some(signal) || output.status.code() == Some(128 + signal)
}

/// The process said who has overflowed, and aborted.
fn assert_reports(output: &Output, who: &str) {
    let said = stderr(output);
    let mut reports = said.lines().filter(|line| line.contains(" has overflowed "));
    assert!(reports.any(|line| line.starts_with(who)), "{said}");
    assert!(ended_by(output, libc::SIGABRT), "{:?} {said}", output.status);
}

#[test]
fn the_report_names_the_greenlet_and_its_stack_and_says_what_to_do() {
    let output =
        isolated("overflow::the_report_names_the_greenlet_and_its_stack_and_says_what_to_do", || {
            named("deep", overflow).switch(());
        });
    assert_reports(&output, "greenlet 1 \"deep\"");
    let said = stderr(&output);
    assert!(said.contains("has overflowed its stack of 128 KiB"), "{said}");
    assert!(said.contains("stack_size(256 * 1024)"), "{said}");
}

#[test]
fn a_long_name_leaves_room_for_the_rest() {
    let output = isolated("overflow::a_long_name_leaves_room_for_the_rest", || {
        named(&"long".repeat(1000), overflow).switch(());
    });
    assert_reports(&output, "greenlet 1 \"longlong");
    assert!(stderr(&output).contains("Aborting."), "{}", stderr(&output));
}

#[test]
fn it_is_reported_on_a_thread_that_std_did_not_start() {
    let output = isolated("overflow::it_is_reported_on_a_thread_that_std_did_not_start", || {
        extern "C" fn thread(_: *mut libc::c_void) -> *mut libc::c_void {
            named("foreign", overflow).switch(());
            std::ptr::null_mut()
        }
        // SAFETY: the thread takes no argument, and is joined.
        unsafe {
            let mut id = std::mem::zeroed();
            libc::pthread_create(&mut id, std::ptr::null(), thread, std::ptr::null_mut());
            libc::pthread_join(id, std::ptr::null_mut());
        }
    });
    assert_reports(&output, "greenlet 1 \"foreign\"");
}

#[test]
fn it_is_reported_when_two_threads_overflow_at_once() {
    let output = isolated("overflow::it_is_reported_when_two_threads_overflow_at_once", || {
        static BOTH: Barrier = Barrier::new(2);
        let threads = ["one", "two"].map(|name| {
            std::thread::spawn(move || {
                named(name, || {
                    BOTH.wait();
                    overflow();
                })
                .switch(());
            })
        });
        for thread in threads {
            let _ = thread.join();
        }
    });
    let said = stderr(&output);
    let whole = |name: &str| said.contains(&format!("greenlet 1 \"{name}\" has overflowed its stack of"));
    assert!(whole("one") || whole("two"), "{said}");
    assert!(ended_by(&output, libc::SIGABRT), "{:?} {said}", output.status);
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer reports it, where std would")]
fn an_ordinary_thread_still_has_the_report_of_std() {
    let output = isolated("overflow::an_ordinary_thread_still_has_the_report_of_std", || {
        Greenlet::<()>::new(|()| ()).switch(());
        let thread = std::thread::Builder::new().name("ordinary".into());
        thread.spawn(overflow).unwrap().join().unwrap();
    });
    assert_reports(&output, "thread 'ordinary'");
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer reports it, where std would")]
fn the_thread_of_suspended_greenlets_still_has_the_report_of_std() {
    let output = isolated("overflow::the_thread_of_suspended_greenlets_still_has_the_report_of_std", || {
        let thread = std::thread::Builder::new().name("root".into());
        let thread = thread.spawn(|| {
            let _suspended = suspended_over("suspended");
            overflow();
        });
        thread.unwrap().join().unwrap();
    });
    assert_reports(&output, "thread 'root'");
    assert!(!stderr(&output).contains("greenlet"), "{}", stderr(&output));
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer has locals elsewhere")]
fn a_child_of_one_who_is_deep_itself_is_named() {
    let output = isolated("overflow::a_child_of_one_who_is_deep_itself_is_named", || {
        /// Goes down most of the stack before it starts the child.
        #[inline(never)]
        fn descend(from: usize) -> u64 {
            let frame = black_box([0_u64; 32]);
            if from - std::ptr::from_ref(&frame).addr() < STACK * 3 / 4 {
                descend(from);
            } else {
                named("child", overflow).switch(());
            }
            black_box(frame)[0]
        }
        let parent = named("parent", || {
            descend(std::ptr::from_ref(&black_box(0)).addr());
        });
        parent.switch(());
    });
    assert_reports(&output, "greenlet 2 \"child\"");
}

#[test]
fn a_parent_that_overflows_after_its_child_has_ended_is_named() {
    let output = isolated("overflow::a_parent_that_overflows_after_its_child_has_ended_is_named", || {
        let parent = named("parent", || {
            let child = named("child", || ());
            child.switch(());
            assert_eq!(child.state(), State::Dead);
            overflow();
        });
        parent.switch(());
    });
    assert_reports(&output, "greenlet 1 \"parent\"");
}

#[test]
fn one_who_overflows_in_a_destructor_as_it_is_killed_is_named() {
    let output = isolated("overflow::one_who_overflows_in_a_destructor_as_it_is_killed_is_named", || {
        let _ = suspended_over("victim").kill();
    });
    assert_reports(&output, "greenlet 1 \"victim\"");
}

#[test]
fn one_who_overflows_in_a_destructor_as_its_thread_ends_is_named() {
    let output = isolated("overflow::one_who_overflows_in_a_destructor_as_its_thread_ends_is_named", || {
        let thread = std::thread::spawn(|| std::mem::forget(suspended_over("left behind")));
        thread.join().unwrap();
    });
    assert_reports(&output, "greenlet 1 \"left behind\"");
}

#[test]
fn one_who_overflows_between_a_switch_and_the_next_is_named() {
    const TRIES: u64 = 40;
    let output = isolated("overflow::one_who_overflows_between_a_switch_and_the_next_is_named", || {
        /// Switches at each level: when one leaves, the target is the current greenlet already, and
        /// there is still something to push. Whether that overflows depends on where the frames are,
        /// so it is tried at many places.
        #[inline(never)]
        fn switch_deeper(main: &Greenlet, depth: u64) -> u64 {
            main.switch(());
            if depth == u64::MAX { 0 } else { switch_deeper(main, depth + 1) + black_box(1) }
        }
        #[inline(never)]
        fn shift(levels: u64, main: &Greenlet) -> u64 {
            if levels == 0 { switch_deeper(main, 0) } else { shift(levels - 1, main) + black_box(1) }
        }
        for levels in 0..TRIES {
            in_child(|| {
                let main = Greenlet::current();
                let g = named("switching", move || {
                    shift(levels, &main);
                });
                loop {
                    g.switch(());
                }
            });
        }
    });
    let said = stderr(&output);
    let reports = said.matches("greenlet 1 \"switching\" has overflowed its stack").count();
    assert_eq!(reports, TRIES as usize, "{said}");
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer takes the fault")]
fn a_write_beyond_the_other_end_is_no_overflow_of_the_neighbour() {
    let output = isolated("overflow::a_write_beyond_the_other_end_is_no_overflow_of_the_neighbour", || {
        let lower = named("lower", || {
            Greenlet::<()>::root().switch(());
            let mut at = std::ptr::from_ref(&black_box(0_u64));
            loop {
                // SAFETY: none: the fault at the end of the stack is what is tested.
                unsafe { at.read_volatile() };
                at = at.wrapping_add(1);
            }
        });
        lower.switch(());
        let _upper = suspended_over("upper");
        lower.switch(());
    });
    assert!(!stderr(&output).contains("overflowed"), "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer takes the fault")]
fn a_read_far_beyond_where_the_body_of_a_generator_stands_is_no_overflow() {
    let case = "overflow::a_read_far_beyond_where_the_body_of_a_generator_stands_is_no_overflow";
    let output = isolated(case, || {
        let mut generator = Generator::with_stack_size(1 << 20, |_: &Yielder<(), ()>, ()| {
            let mut at = std::ptr::from_ref(&black_box(0_u64));
            loop {
                // SAFETY: none: the fault at the end of the stack is what is tested.
                unsafe { at.read_volatile() };
                at = at.wrapping_sub(1);
            }
        })
        .unwrap();
        generator.next();
    });
    assert!(!stderr(&output).contains("overflowed"), "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer takes the fault")]
fn a_jump_into_a_stack_is_no_overflow() {
    let output = isolated("overflow::a_jump_into_a_stack_is_no_overflow", || {
        named("jumps", || {
            let words = black_box([0_u64; 8]);
            // SAFETY: none: the fault is what is tested.
            unsafe { std::mem::transmute::<*const u64, extern "C" fn()>(words.as_ptr())() };
        })
        .switch(());
    });
    assert!(!stderr(&output).contains("overflowed"), "{}", stderr(&output));
    assert!(ended_by(&output, libc::SIGSEGV), "{:?}", output.status);
}

/// A thread that needs more stacks than it has reserved reserves others elsewhere.
#[test]
fn one_among_many_who_overflows_is_named() {
    const MANY: usize = 40;
    let output = isolated("overflow::one_among_many_who_overflows_is_named", || {
        for which in [0, MANY - 1] {
            in_child(|| {
                let main = Greenlet::<()>::current();
                let all: Vec<_> = (0..MANY)
                    .map(|n| {
                        let main = main.clone();
                        let g = named(&format!("number {n}"), move || {
                            main.switch(());
                            overflow();
                        });
                        g.switch(());
                        g
                    })
                    .collect();
                all[which].switch(());
            });
        }
    });
    let said = stderr(&output);
    for which in [0, MANY - 1] {
        assert!(said.contains(&format!("\"number {which}\" has overflowed its stack")), "{said}");
    }
}

#[test]
fn a_callback_that_overflows_under_a_function_of_c_is_named() {
    let output = isolated("overflow::a_callback_that_overflows_under_a_function_of_c_is_named", || {
        extern "C" fn compare(_: *const libc::c_void, _: *const libc::c_void) -> libc::c_int {
            sort();
            black_box(0)
        }
        fn sort() {
            let mut items = black_box([2_u8, 1]);
            // SAFETY: two items of one byte.
            unsafe { libc::qsort(items.as_mut_ptr().cast(), 2, 1, Some(compare)) };
        }
        named("sorting", sort).switch(());
    });
    assert_reports(&output, "greenlet 1 \"sorting\"");
}

/// A parser that calls itself for each parenthesis, all of it in C.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn one_who_overflows_within_c_is_named() {
    let output = isolated("overflow::one_who_overflows_within_c_is_named", || {
        let pattern = "(".repeat(100_000) + &")".repeat(100_000);
        let pattern = std::ffi::CString::new(pattern).unwrap();
        named("parsing", move || {
            // SAFETY: the function fills the memory in.
            unsafe {
                let mut compiled = std::mem::zeroed();
                libc::regcomp(&mut compiled, pattern.as_ptr(), libc::REG_EXTENDED);
            }
        })
        .switch(());
    });
    assert_reports(&output, "greenlet 1 \"parsing\"");
}

/// Goes down by some pages, and then by three pages at a time, of which it touches only the last byte:
/// as C may that is built without stack probes.
#[unsafe(naked)]
extern "C" fn stride(first: usize) {
    #[cfg(target_arch = "x86_64")]
    std::arch::naked_asm!(
        "shl rdi, 12",
        "sub rsp, rdi",
        "2:",
        "sub rsp, 3 * 4096",
        "mov byte ptr [rsp], 0",
        "jmp 2b",
    );
    #[cfg(target_arch = "aarch64")]
    std::arch::naked_asm!(
        "lsl x0, x0, #12",
        "sub sp, sp, x0",
        "2:",
        "sub sp, sp, #3, lsl #12",
        "strb wzr, [sp]",
        "b 2b",
    );
}

#[test]
fn a_frame_of_some_pages_does_not_jump_over_the_guard() {
    const TRIES: usize = 3;
    let output = isolated("overflow::a_frame_of_some_pages_does_not_jump_over_the_guard", || {
        for first in 0..TRIES {
            in_child(|| {
                let g = Greenlet::<()>::builder().name("striding").stack_size(256 * 1024);
                g.build(move |()| stride(first)).switch(());
            });
        }
    });
    let reports = stderr(&output).matches("\"striding\" has overflowed its stack").count();
    assert_eq!(reports, TRIES, "{}", stderr(&output));
}

#[test]
fn a_generator_has_the_stack_size_that_it_was_made_with() {
    fn digs(levels: u32) -> u32 {
        let room = black_box([levels as u8; 16 * 1024]);
        u32::from(room[0]) + if levels == 0 { 0 } else { digs(levels - 1) }
    }
    passes("overflow::a_generator_has_the_stack_size_that_it_was_made_with", || {
        let mut sums = Generator::with_stack_size(64 << 20, |yielder, ()| yielder.yield_(digs(200))).unwrap();
        assert_eq!(sums.next(), Some(200 * 201 / 2));
    });
}

#[test]
fn that_of_a_generator_names_the_greenlet_that_has_resumed_it() {
    let output = isolated("overflow::that_of_a_generator_names_the_greenlet_that_has_resumed_it", || {
        let mut generator = Generator::with_stack_size(STACK, |yielder, ()| {
            yielder.yield_(());
            overflow();
        })
        .unwrap();
        assert_eq!(generator.next(), Some(()));
        named("resumer", move || _ = generator.next()).switch(());
    });
    assert_reports(&output, "greenlet 1 \"resumer\"");
    let said = stderr(&output);
    assert!(said.contains("has overflowed the stack of a generator of 128 KiB"), "{said}");
    assert!(said.contains("Generator::with_stack_size(256 * 1024)"), "{said}");
}
