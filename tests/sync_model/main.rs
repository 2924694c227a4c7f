//! Random programs of tasks and queues, run on the crate and by the rules: what is observed must be
//! equal.
//!
//! `program.rs` says what a program is, `rules` what has to happen, `real.rs` makes it happen, and
//! `trace.rs` has the words for what is observed. To learn how queues behave, read `rules`.
//!
//! The programs are the same each time, unless other ones are [asked for](random::config).

mod program;
#[path = "../common/random.rs"]
mod random;
mod real;
mod rules;
mod trace;

use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::program::{Program, programs};
use crate::random::config;

#[test]
fn short_programs_do_what_the_rules_say() {
    check(20);
}

#[test]
fn long_programs_do_what_the_rules_say() {
    check(150);
}

/// Compares the crate with the rules in programs of up to so many operations.
fn check(most: usize) {
    let compare =
        |program: Program| difference(&program).map_or(Ok(()), |text| Err(TestCaseError::fail(text)));
    match TestRunner::new(config(500, 3000)).run(&programs(most), compare) {
        Ok(()) => {}
        Err(TestError::Fail(text, program)) => {
            panic!("a program differs from the rules: {program:#?}\n{text}")
        }
        Err(error) => panic!("{error}"),
    }
}

/// How a program differs from the rules, if it does.
fn difference(program: &Program) -> Option<String> {
    let seen = match real::run(program) {
        Ok(seen) => seen,
        Err(_) => return Some("it panicked".into()),
    };
    let expected = rules::run(program, &seen);
    if expected == seen {
        return None;
    }
    let same = expected.iter().zip(&seen).take_while(|(expected, seen)| expected == seen).count();
    Some(format!("{:?}\nthen {:?}\nnot  {:?}", &seen[..same], seen.get(same), expected.get(same)))
}
