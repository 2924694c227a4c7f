//! The programs in `examples/seeds/` print what the programs that they are after print.
//!
//! Each is a module here, so that what is tested is what was just built, and its `println!` is one
//! that the test hears.

use std::cell::RefCell;
use std::fmt::{self, Write};

/// Stands in for std's in the modules below.
macro_rules! println {
    ($($line:tt)*) => { crate::hear(format_args!($($line)*)) };
}

#[cfg(feature = "hub")]
mod network;
#[path = "../../examples/seeds/producer_consumer.rs"]
mod producer_consumer;
#[path = "../../examples/seeds/switch.rs"]
mod switch;
#[path = "../../examples/seeds/switch_values.rs"]
mod switch_values;
#[cfg(feature = "hub")]
mod tasks;

thread_local! {
    static HEARD: RefCell<String> = const { RefCell::new(String::new()) };
}

fn hear(line: fmt::Arguments) {
    HEARD.with_borrow_mut(|heard| writeln!(heard, "{line}")).unwrap();
}

/// What a program prints on this thread.
fn output<R>(main: impl FnOnce() -> R) -> String {
    main();
    HEARD.take()
}

#[test]
fn a_producer_feeds_two_consumers() {
    let buns = (1..=5).map(|n| {
        format!(
            "[c1] is eating baozi {n}\n[c2] is eating baozi {n}\n\
             \x1b[32;1m[producer]\x1b[0m is making baozi {n}\n"
        )
    });
    let expected = "---->start eating baozi......\n".repeat(2) + &buns.collect::<String>();
    assert_eq!(output(producer_consumer::main), expected);
}

#[test]
fn two_greenlets_take_turns_by_switching_to_each_other() {
    assert_eq!(output(switch::main), "12\n56\n34\n78\n");
}

#[test]
fn a_switch_brings_a_value_and_an_end_goes_to_the_parent() {
    assert_eq!(output(switch_values::main), "test1: 2\ntest2: 32\ntest1: over\n");
}
