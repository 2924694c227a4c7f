//! Greenlets with thread-local storage of their own, where that goes wrong it ends the process.

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::rc::Rc;
use std::thread::{self, panicking};

use greenlet::Greenlet;

use crate::leaks::{CYCLES, assert_flat};
use crate::overflow::overflow;
use crate::{command, isolated, isolated_by, stderr};

thread_local!(static NUMBER: Cell<u32> = const { Cell::new(1) });

fn own<T: 'static>() -> greenlet::Builder<T> {
    Greenlet::builder().own_tls()
}

/// One that waits, with destructors to be run and memory to be freed at its end.
fn suspended() -> Greenlet {
    suspended_with(())
}

/// The same, which has something more on its stack.
fn suspended_with<T: 'static>(more: T) -> Greenlet {
    thread_local!(static TEXT: RefCell<String> = const { RefCell::new(String::new()) });
    let main = Greenlet::<()>::current();
    let g = own().build(move |()| {
        TEXT.set("some text".repeat(20));
        assert!(thread::current().name().is_none());
        main.switch(());
        drop(more);
    });
    g.switch(());
    g
}

#[test]
fn memory_stays_flat_while_they_come_and_go() {
    let output = isolated("own_tls::memory_stays_flat_while_they_come_and_go", || {
        assert_flat(CYCLES, |count| {
            for n in 0..count {
                let g = suspended();
                match n % 3 {
                    0 => g.switch(()),
                    1 => g.kill().unwrap(),
                    _ => drop(g),
                }
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn memory_stays_flat_while_threads_come_and_go() {
    /// Leaves one behind that only its own stack holds.
    fn leave_one_behind() {
        let own: Rc<Cell<Option<Greenlet>>> = Rc::default();
        own.set(Some(suspended_with(own.clone())));
    }
    let output = isolated("own_tls::memory_stays_flat_while_threads_come_and_go", || {
        assert_flat(CYCLES / 100, |count| {
            for _ in 0..count / 10 {
                thread::spawn(|| (0..10).for_each(|_| leave_one_behind())).join().unwrap();
            }
        });
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn twenty_thousand_are_alive_at_once() {
    let output = isolated("own_tls::twenty_thousand_are_alive_at_once", || {
        let main = Greenlet::<()>::current();
        let greenlets: Vec<_> = (0..20_000_u32)
            .map(|n| {
                let main = main.clone();
                let g = own().stack_size(16 * 1024).build(move |()| {
                    NUMBER.set(n);
                    main.switch(());
                    assert_eq!(NUMBER.get(), n);
                });
                g.switch(());
                g
            })
            .collect();
        for g in &greenlets {
            g.switch(());
            assert!(g.is_dead());
        }
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn the_process_may_exit_from_within_one() {
    let output = isolated("own_tls::the_process_may_exit_from_within_one", || {
        let _suspended = suspended();
        own::<()>().build(|()| std::process::exit(7)).switch(());
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn an_overflow_is_reported_by_name() {
    let output = isolated("own_tls::an_overflow_is_reported_by_name", || {
        own::<()>().name("deep one").build(|()| overflow()).switch(());
    });
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    assert!(stderr(&output).contains("\"deep one\" has overflowed its stack"), "{}", stderr(&output));
}

#[test]
fn a_fork_goes_on_in_one() {
    let output = isolated("own_tls::a_fork_goes_on_in_one", || {
        let g = own::<()>().build(|()| {
            NUMBER.set(5);
            let elsewhere = thread::spawn(thread::park);
            // SAFETY: the child uses what is its own.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let inner = own::<()>().build(|()| NUMBER.set(NUMBER.get() + 1));
                inner.switch(());
                let right = NUMBER.get() == 5 && *Box::new(3) == 3;
                // SAFETY: ends the child.
                unsafe { libc::_exit(if right { 3 } else { 4 }) };
            }
            let mut status = 0;
            // SAFETY: waits for the child.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 3));
            elsewhere.thread().unpark();
        });
        g.switch(());
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn the_processor_is_told_where_the_kernel_has_no_restartable_sequences() {
    /// Has this thread run on the last of the processors that it may run on.
    fn stay_on_one() -> i32 {
        // SAFETY: fills in a set, and changes what is this process's.
        unsafe {
            let mut all: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of_val(&all), &mut all), 0);
            let last = (0..libc::CPU_SETSIZE as usize).rfind(|cpu| libc::CPU_ISSET(*cpu, &all)).unwrap();
            libc::CPU_ZERO(&mut all);
            libc::CPU_SET(last, &mut all);
            assert_eq!(libc::sched_setaffinity(0, size_of_val(&all), &all), 0);
            last as i32
        }
    }
    let mut command = command();
    command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    let case = "own_tls::the_processor_is_told_where_the_kernel_has_no_restartable_sequences";
    let output = isolated_by(command, case, || {
        let one = stay_on_one();
        // SAFETY: asks for a number.
        let g = own().build(|_| unsafe { libc::sched_getcpu() });
        assert_eq!(g.switch(0), one);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The function of `late.c`, or `None` where there is no C compiler for it.
fn count_of_a_late_library() -> Option<extern "C" fn() -> i32> {
    let compiler = match std::env::var("CC_aarch64_unknown_linux_gnu") {
        Ok(compiler) if cfg!(target_arch = "aarch64") => compiler,
        _ => "cc".to_owned(),
    };
    let library = std::env::temp_dir().join(format!("greenlet-late-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/isolated/late.c");
    let status =
        Command::new(compiler).args(["-shared", "-fPIC", source, "-o"]).arg(&library).status().ok()?;
    if !status.success() {
        return None;
    }
    let name = CString::new(library.to_str()?).ok()?;
    // SAFETY: the library does nothing when it is loaded, and the function is what it is called.
    unsafe {
        let loaded = libc::dlopen(name.as_ptr(), libc::RTLD_NOW);
        std::fs::remove_file(&library).unwrap();
        assert!(!loaded.is_null());
        let count = libc::dlsym(loaded, c"count".as_ptr());
        Some(std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> i32>(count))
    }
}

#[test]
fn thread_locals_of_a_library_that_is_loaded_late_are_fresh_in_storage_that_was_there() {
    let case = "own_tls::thread_locals_of_a_library_that_is_loaded_late_are_fresh_in_storage_that_was_there";
    let output = isolated(case, || {
        own::<()>().build(|()| ()).switch(());
        let Some(count) = count_of_a_late_library() else { return };
        assert_eq!(count(), 1234 + 77);
        for _ in 0..3 {
            own::<()>().build(move |()| assert_eq!([count(), count()], [1234 + 77, 1236 + 77])).switch(());
        }
        assert_eq!(count(), 1236 + 77);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_panic_in_one_says_where_and_walks_into_the_parents_stack() {
    let output = isolated("own_tls::a_panic_in_one_says_where_and_walks_into_the_parents_stack", || {
        #[inline(never)]
        fn the_one_that_panics() {
            let trace = std::backtrace::Backtrace::force_capture().to_string();
            assert!(trace.contains("the_one_that_panics") && trace.contains("the_parent"), "{trace}");
            panic!("as it should");
        }
        #[inline(never)]
        fn the_parent() {
            let raised = own::<()>().build(|()| the_one_that_panics()).try_switch(());
            assert!(raised.is_err() && !panicking());
        }
        the_parent();
    });
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("as it should"), "{said}");
}

#[cfg(feature = "hub")]
#[test]
fn a_destructor_of_a_thread_local_that_waits_aborts_as_one_that_panics() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            greenlet::sleep(std::time::Duration::from_millis(1));
        }
    }
    thread_local!(static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) });
    let case = "own_tls::a_destructor_of_a_thread_local_that_waits_aborts_as_one_that_panics";
    let output = isolated(case, || {
        let _ = own::<()>().spawn(|| WAITS.set(Some(Waits))).join();
    });
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    assert!(
        stderr(&output).contains("cannot wait while it destroys its thread-locals"),
        "{}",
        stderr(&output)
    );
}
