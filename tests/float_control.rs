//! Floating-point control words: shared by default, a greenlet's own by request.

use std::cell::Cell;
use std::rc::Rc;

use greenlet::{Generator, Greenlet};

/// The rounding modes, as the hardware of both architectures numbers two of them.
const NEAREST: u32 = 0;
const UP: u32 = 2;

/// The rounding mode in force: that of mxcsr, and of the x87 unit, which is to be the same.
#[cfg(target_arch = "x86_64")]
fn rounding() -> u32 {
    let (mut mxcsr, mut x87) = (0_u32, 0_u16);
    // SAFETY: stores the two words.
    unsafe {
        std::arch::asm!("stmxcsr [{0}]", "fnstcw [{1}]", in(reg) &mut mxcsr, in(reg) &mut x87, options(nostack));
    }
    assert_eq!(mxcsr >> 13 & 3, u32::from(x87 >> 10 & 3));
    mxcsr >> 13 & 3
}

#[cfg(target_arch = "x86_64")]
fn set_rounding(mode: u32) {
    let (mut mxcsr, mut x87) = (0_u32, 0_u16);
    // SAFETY: stores the two words, and loads them with another rounding mode. Nothing here computes
    // with floating point.
    unsafe {
        std::arch::asm!("stmxcsr [{0}]", "fnstcw [{1}]", in(reg) &mut mxcsr, in(reg) &mut x87, options(nostack));
        mxcsr = mxcsr & !(3 << 13) | mode << 13;
        x87 = x87 & !(3 << 10) | (mode as u16) << 10;
        std::arch::asm!("ldmxcsr [{0}]", "fldcw [{1}]", in(reg) &mxcsr, in(reg) &x87, options(nostack));
    }
}

/// The rounding mode in force. The bits of the two modes are the other way round here.
#[cfg(target_arch = "aarch64")]
fn rounding() -> u32 {
    let fpcr: u64;
    // SAFETY: reads a register.
    unsafe { std::arch::asm!("mrs {0}, fpcr", out(reg) fpcr, options(nostack, nomem)) };
    ((fpcr >> 22 & 3) as u32) << 1
}

#[cfg(target_arch = "aarch64")]
fn set_rounding(mode: u32) {
    // SAFETY: reads a register, and writes it with another rounding mode. Nothing here computes with
    // floating point.
    unsafe {
        let mut fpcr: u64;
        std::arch::asm!("mrs {0}, fpcr", out(reg) fpcr, options(nostack, nomem));
        fpcr = fpcr & !(3 << 22) | u64::from(mode >> 1) << 22;
        std::arch::asm!("msr fpcr, {0}", in(reg) fpcr, options(nostack, nomem));
    }
}

/// Puts the rounding mode back when a test ends, however it ends.
struct PutBack;

impl Drop for PutBack {
    fn drop(&mut self) {
        set_rounding(NEAREST);
    }
}

// greenlet.md: 2.30 and corner 15
#[test]
fn what_a_greenlet_sets_is_neither_seen_by_others_nor_left_behind() {
    let _put_back = PutBack;
    let main = Greenlet::<()>::current();
    let g = Greenlet::<()>::builder().own_float_control().build(move |()| {
        set_rounding(UP);
        main.switch(());
        assert_eq!(rounding(), UP);
    });
    g.switch(());
    assert_eq!(rounding(), NEAREST);
    let other = Greenlet::<()>::new(|()| assert_eq!(rounding(), NEAREST));
    other.switch(());
    g.switch(());
    assert!(g.is_dead());
    assert_eq!(rounding(), NEAREST);
}

#[test]
fn what_it_has_set_last_is_in_force_when_it_goes_on() {
    let _put_back = PutBack;
    let main = Greenlet::<()>::current();
    let modes = [UP, NEAREST, UP];
    let g = Greenlet::<()>::builder().own_float_control().build(move |()| {
        for mode in modes {
            set_rounding(mode);
            main.switch(());
            assert_eq!(rounding(), mode);
        }
    });
    for _ in modes {
        g.switch(());
        assert_eq!(rounding(), NEAREST);
    }
    g.switch(());
    assert!(g.is_dead());
}

#[test]
fn it_starts_with_the_words_of_whoever_starts_it() {
    let _put_back = PutBack;
    let seen = Rc::new(Cell::new(NEAREST));
    let look = |seen: &Rc<Cell<u32>>| {
        let seen = seen.clone();
        Greenlet::<()>::builder().own_float_control().build(move |()| seen.set(rounding()))
    };
    set_rounding(UP);
    look(&seen).switch(());
    assert_eq!(seen.get(), UP);
    set_rounding(NEAREST);
    let inner = look(&seen);
    let outer = Greenlet::<()>::builder().own_float_control().build(move |()| {
        set_rounding(UP);
        inner.switch(());
    });
    outer.switch(());
    assert_eq!((seen.get(), rounding()), (UP, NEAREST));
}

#[test]
fn without_the_option_greenlets_share_the_words_as_functions_do() {
    let _put_back = PutBack;
    Greenlet::<()>::new(|()| set_rounding(UP)).switch(());
    assert_eq!(rounding(), UP);
}

#[test]
fn each_of_several_has_its_own_and_the_others_share_theirs() {
    let _put_back = PutBack;
    let main = Greenlet::<()>::current();
    let with = |mode| {
        let main = main.clone();
        Greenlet::<()>::builder().own_float_control().build(move |()| {
            set_rounding(mode);
            loop {
                main.switch(());
                assert_eq!(rounding(), mode);
            }
        })
    };
    let (up, nearest) = (with(UP), with(NEAREST));
    for shared in [NEAREST, UP, NEAREST] {
        set_rounding(shared);
        for g in [&up, &nearest, &up] {
            g.switch(());
            assert_eq!(rounding(), shared);
        }
    }
}

#[cfg(panic = "unwind")]
#[test]
fn a_kill_and_an_error_exchange_the_words_too() {
    struct Look(Rc<Cell<u32>>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.0.set(rounding());
        }
    }
    let _put_back = PutBack;
    let main = Greenlet::<()>::current();
    let seen = Rc::new(Cell::new(NEAREST));
    let waiting = || {
        let (main, look) = (main.clone(), Look(seen.clone()));
        let g = Greenlet::<()>::builder().own_float_control().build(move |()| {
            let _look = look;
            set_rounding(UP);
            main.switch(());
        });
        g.switch(());
        g
    };
    waiting().kill().unwrap();
    assert_eq!((seen.replace(NEAREST), rounding()), (UP, NEAREST));
    assert!(waiting().try_throw("an error").is_err());
    assert_eq!((seen.replace(NEAREST), rounding()), (UP, NEAREST));
    drop(waiting());
    assert_eq!((seen.get(), rounding()), (UP, NEAREST));
}

/// As any function that it calls would.
#[test]
fn a_generator_shares_those_of_whoever_resumes_it() {
    let _put_back = PutBack;
    let mut roundings = Generator::new(|yielder, ()| {
        loop {
            yielder.yield_(rounding());
            set_rounding(UP);
        }
    });
    assert_eq!(roundings.next(), Some(NEAREST));
    let own = Greenlet::builder().own_float_control().build(move |()| {
        assert_eq!(roundings.next(), Some(UP));
        assert_eq!(rounding(), UP);
    });
    own.switch(());
    assert_eq!(rounding(), NEAREST);
}

#[cfg(feature = "hub")]
#[test]
fn a_task_may_have_its_own_while_others_run() {
    let _put_back = PutBack;
    let task = |own: bool| {
        let options = Greenlet::builder();
        let options = if own { options.own_float_control() } else { options };
        options.spawn(move || {
            if own {
                set_rounding(UP);
            }
            for _ in 0..3 {
                assert_eq!(rounding(), if own { UP } else { NEAREST });
                greenlet::yield_now();
            }
        })
    };
    for task in [true, false, true, false].map(task) {
        task.join().unwrap();
    }
    assert_eq!(rounding(), NEAREST);
}
