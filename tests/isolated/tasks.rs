//! Tasks whose process ends, or nearly.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::UdpSocket;
use greenlet::sync::AsyncResult;
use greenlet::{GreenThread, Greenlet, sleep, spawn, yield_now};

use crate::leaks::{CYCLES, assert_flat, limit_address_space};
use crate::{isolated, passes, stderr};

#[test]
fn exiting_from_within_a_task_is_orderly() {
    let output = isolated("tasks::exiting_from_within_a_task_is_orderly", || {
        drop(greenlet::spawn(|| greenlet::sleep(std::time::Duration::from_secs(1000))));
        let _ = greenlet::spawn(|| std::process::exit(7)).join();
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

// gevent 92; eventlet 45
#[test]
fn a_task_that_panics_is_reported_under_its_name_and_the_program_goes_on() {
    let output =
        isolated("tasks::a_task_that_panics_is_reported_under_its_name_and_the_program_goes_on", || {
            let failed = Greenlet::builder().name("failing").spawn(|| panic!("oh no"));
            assert!(failed.wait(None));
            assert_eq!(greenlet::spawn(|| 1).join().unwrap(), 1);
            assert_eq!(failed.join().unwrap_err().message(), Some("oh no"));
        });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = "\"failing\" failed: the task panicked: oh no";
    assert_eq!(stderr(&output).matches(report).count(), 1, "{}", stderr(&output));
}

// gevent 96
#[test]
fn a_report_hook_that_panics_harms_nobody() {
    let output = isolated("tasks::a_report_hook_that_panics_harms_nobody", || {
        greenlet::set_report_hook(|report| panic!("I do not want to hear of {report}"));
        let failed = greenlet::spawn(|| panic!("oh no"));
        let linked = Rc::new(RefCell::new(false));
        let note = linked.clone();
        failed.link(move |_| *note.borrow_mut() = true);
        assert_eq!(failed.join().unwrap_err().message(), Some("oh no"));
        assert!(*linked.borrow());
        assert_eq!(greenlet::spawn(|| 1).join().unwrap(), 1);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("I do not want to hear of"), "{}", stderr(&output));
}

/// There is no stack for a task, so the hub drops its body where nothing may wait.
// gevent 14
#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own memory counts against the limit")]
fn waiting_in_a_callback_of_the_hub_is_refused_and_the_hub_goes_on() {
    struct Waits(Rc<RefCell<String>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            let refused = catch_unwind(|| greenlet::sleep(Duration::from_millis(1))).unwrap_err();
            *self.0.borrow_mut() = refused.downcast_ref::<&str>().unwrap().to_string();
        }
    }
    // An emulator does not pass the limit on, and other systems count otherwise.
    if std::env::var_os("CROSS_RUNNER").is_some() || !cfg!(target_os = "linux") {
        return;
    }
    let output = isolated("tasks::waiting_in_a_callback_of_the_hub_is_refused_and_the_hub_goes_on", || {
        let said: Rc<RefCell<String>> = Rc::default();
        let waits = Waits(said.clone());
        let task = Greenlet::builder().stack_size(1 << 30).spawn(move || drop(waits));
        let before = limit_address_space(512 << 20);
        assert!(task.join().unwrap_err().is_not_started());
        limit_address_space(before);
        assert_eq!(*said.borrow(), "a callback of the hub cannot wait");
        greenlet::sleep(Duration::from_millis(1));
        assert_eq!(greenlet::spawn(|| 1).join().unwrap(), 1);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_backend_that_does_not_exist_is_named() {
    let output = isolated("tasks::a_backend_that_does_not_exist_is_named", || {
        // SAFETY: no other thread looks at the environment.
        unsafe { std::env::set_var("GREENLET_BACKEND", "nonsense") };
        greenlet::yield_now();
    });
    assert_ne!(output.status.code(), Some(0));
    assert!(
        stderr(&output).contains("GREENLET_BACKEND: there is no backend `nonsense`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_link_that_is_made_after_the_end_of_the_hub_is_dropped() {
    let test = "tasks::a_link_that_is_made_after_the_end_of_the_hub_is_dropped";
    passes(test, || {
        struct LinksLate(RefCell<Option<GreenThread<()>>>);
        impl Drop for LinksLate {
            fn drop(&mut self) {
                let task = self.0.take().unwrap();
                assert!(task.is_finished());
                task.link(|_| unreachable!("nothing runs here"));
                let result = AsyncResult::<i32>::new();
                result.link(|_| unreachable!("nothing runs here"));
                assert_eq!(result.set(1), Ok(()));
            }
        }
        thread_local! {
            static LINKS_LATE: LinksLate = const { LinksLate(RefCell::new(None)) };
        }
        let thread = std::thread::spawn(|| {
            // Before the hub is made, and so destroyed after it.
            LINKS_LATE.with(|late| {
                let task = spawn(|| ());
                assert!(task.wait(None));
                late.0.replace(Some(task));
            });
        });
        thread.join().unwrap();
    });
}

#[test]
fn memory_stays_flat_while_threads_keep_tasks_and_sockets_until_all_else_is_gone() {
    /// Opens another one then.
    struct Late(UdpSocket, GreenThread<()>);
    impl Drop for Late {
        fn drop(&mut self) {
            drop((UdpSocket::bind("127.0.0.1:0").unwrap(), &self.0, &self.1));
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    fn keep_some() {
        // So it is destroyed after whatever is first used below.
        LATE.with_borrow(|late| assert!(late.is_none()));
        let sleeper = spawn(|| sleep(Duration::from_secs(1000)));
        yield_now();
        LATE.set(Some(Late(UdpSocket::bind("127.0.0.1:0").unwrap(), sleeper)));
    }
    passes("tasks::memory_stays_flat_while_threads_keep_tasks_and_sockets_until_all_else_is_gone", || {
        assert_flat(CYCLES / 100, |count| {
            (0..count).for_each(|_| std::thread::spawn(keep_some).join().unwrap());
        });
    });
}

/// Whoever is dropped makes a greenlet, and tells whether it takes itself for a task.
struct MakesOne;

impl Drop for MakesOne {
    fn drop(&mut self) {
        Greenlet::new(|()| assert!(greenlet::Task::current().is_none(), "no task")).switch(());
    }
}

#[test]
fn a_greenlet_made_of_what_a_task_left_that_never_ran_is_no_task() {
    passes("tasks::a_greenlet_made_of_what_a_task_left_that_never_ran_is_no_task", || {
        thread_local!(static LATE: MakesOne = const { MakesOne });
        let thread = std::thread::spawn(|| {
            drop(Greenlet::<()>::current());
            LATE.with(|_| ());
            drop(greenlet::spawn(|| ()));
            let another = MakesOne;
            drop(greenlet::spawn(move || drop(another)));
        });
        thread.join().unwrap();
    });
}
