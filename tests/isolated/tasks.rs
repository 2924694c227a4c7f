//! Tasks whose process ends, or nearly.

use greenlet::Greenlet;

use crate::{isolated, stderr};

#[test]
fn exiting_from_within_a_task_is_orderly() {
    let output = isolated("tasks::exiting_from_within_a_task_is_orderly", || {
        drop(greenlet::spawn(|| greenlet::sleep(std::time::Duration::from_secs(1000))));
        let _ = greenlet::spawn(|| std::process::exit(7)).join();
    });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn a_task_that_panics_is_reported_under_its_name_and_the_program_goes_on() {
    let output =
        isolated("tasks::a_task_that_panics_is_reported_under_its_name_and_the_program_goes_on", || {
            let failed = Greenlet::builder().name("failing").spawn(|| panic!("oh no"));
            assert!(failed.wait(None));
            assert_eq!(greenlet::spawn(|| 1).join().unwrap(), 1);
        });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("\"failing\" failed: the task panicked: oh no"), "{}", stderr(&output));
}
