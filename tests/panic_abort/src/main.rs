//! What works in a program that is built with `panic = "abort"`: everything that does not unwind.
//! The rest says so.
//!
//! ```sh
//! cargo run --profile abort --package panic-abort
//! ```

use std::time::Duration;

use greenlet::{Generator, Greenlet, KillError, SwitchError, TimeoutError};

fn main() {
    if cfg!(panic = "unwind") {
        eprintln!("this has nothing to show: build it with `--profile abort`");
        std::process::exit(2);
    }
    greenlet::set_report_hook(|report| println!("report: {report}"));

    let main = Greenlet::current();
    let g = Greenlet::new(move |n: u32| main.switch(n + 1) * 10);
    assert_eq!(g.switch(1), 2);
    let refused = g.try_throw("error").expect_err("nothing can be raised");
    assert!(matches!(refused.refusal(), Some(SwitchError::CannotUnwind)));
    assert!(matches!(g.kill(), Err(KillError::CannotUnwind)));
    assert_eq!(g.switch(4), 40, "it was left as it was");

    let main = Greenlet::current();
    let suspended = Greenlet::new(move |()| main.switch(()));
    suspended.switch(());
    drop(suspended); // leaked, and reported

    let mut numbers = Generator::new(|yielder, ()| (1..9).for_each(|n: u32| yielder.yield_(n)));
    assert_eq!((numbers.next(), numbers.next()), (Some(1), Some(2)));
    let refused = numbers.throw("error").expect_err("nothing can be raised");
    assert!(matches!(refused.refusal(), Some(SwitchError::CannotUnwind)));
    assert!(matches!(numbers.close(), Err(KillError::CannotUnwind)));
    assert_eq!(numbers.next(), Some(3), "it was left as it was");
    drop(numbers); // leaked, and reported

    let sum = greenlet::spawn(|| {
        greenlet::sleep(Duration::from_millis(1));
        6 * 7
    });
    assert_eq!(sum.join().expect("it does not panic"), 42);
    let timed = greenlet::with_timeout(Duration::from_millis(1), || unreachable!());
    assert_eq!(timed, Err::<(), _>(TimeoutError::CannotUnwind));
    println!("switching and tasks work; throw, kill and timeouts say that they cannot");
}
