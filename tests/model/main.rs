//! Random programs of greenlets, run on the crate and by the rules: what is observed must be equal.
//!
//! `program.rs` says what a program is, `rules.rs` what has to happen, `real.rs` makes it happen, and
//! `trace.rs` has the words for what is observed. To learn how greenlets behave, read `rules.rs`; to
//! read a failure, know that every line of it begins with the number of the greenlet that ran.
//!
//! The programs are the same each time, unless other ones are [asked for](random::config).

mod program;
#[path = "../common/random.rs"]
mod random;
mod real;
mod rules;
mod smaller;
mod trace;
mod value;

use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::program::{Op, programs};
use crate::random::config;
use crate::smaller::smaller;
use crate::trace::Entry;
use crate::value::{Large, Value};

/// A failure shows the first difference, after so many observations that agree.
const SHOWN: usize = 12;

#[test]
fn short_programs_do_what_the_rules_say() {
    check::<u64>(30);
}

#[test]
fn long_programs_do_what_the_rules_say() {
    check::<u64>(150);
}

#[test]
fn programs_that_send_large_values_do_what_the_rules_say() {
    check::<Large>(100);
}

/// Compares the crate with the rules in programs of up to so many operations.
fn check<T: Value>(most: usize) {
    let compare =
        |program: Vec<Op>| difference::<T>(&program).map_or(Ok(()), |_| Err(TestCaseError::fail("")));
    match TestRunner::new(config(200, 2000)).run(&programs(most), compare) {
        Ok(()) => {}
        Err(TestError::Fail(_, program)) => {
            let program = smaller(program, |program| difference::<T>(program).is_some());
            let difference = difference::<T>(&program).unwrap_or_default();
            panic!("a program differs from the rules: {program:?}\n{difference}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// How a program differs from the rules, if it does.
fn difference<T: Value>(program: &[Op]) -> Option<String> {
    let expected = rules::run(program);
    let seen = match real::run::<T>(program) {
        Ok(seen) => seen,
        Err(panic) => return Some(format!("it panicked: {panic}")),
    };
    if expected == seen {
        return None;
    }
    let same = expected.iter().zip(&seen).take_while(|(expected, seen)| expected == seen).count();
    let before: String =
        seen[same.saturating_sub(SHOWN)..same].iter().map(|entry| format!("    {entry:?}\n")).collect();
    let show = |entry: Option<&Entry>| entry.map_or("the end".into(), |entry| format!("{entry:?}"));
    Some(format!("{before}then {}\nnot  {}", show(seen.get(same)), show(expected.get(same))))
}

/// Runs one program, which once did something else.
fn check_program(program: &[Op]) {
    if let Some(difference) = difference::<u64>(program) {
        panic!("{difference}");
    }
}

#[test]
fn a_program_in_which_a_killer_is_killed_by_whom_it_unwinds_does_what_the_rules_say() {
    use crate::program::{Mode::*, Op::*, Target::*};
    check_program(&[
        Create(None),
        Create(None),
        Create(None),
        Create(None),
        Create(None),
        CreateWithoutBody,
        Create(None),
        Create(None),
        Create(None),
        Switch(Back(1), Pass),
        Switch(Back(2), Catch),
        Throw(Back(2), Pass),
        Create(None),
        Switch(Back(0), Pass),
        Keep(Back(2)),
        Switch(Back(43), Pass),
        Create(Some(Back(0))),
        Kill(Back(34), Pass),
        Switch(Back(0), Pass),
    ]);
}

/// The panic is in one greenlet's own thread-local storage, and the switch that must be refused is in
/// another's that has none.
#[test]
fn a_program_in_which_a_panic_unwinds_somebody_who_would_switch_away_does_what_the_rules_say() {
    use crate::program::{Mode::*, Op::*, Target::*};
    check_program(&[
        Create(None),
        Drop(Back(0)),
        Create(None),
        Create(None),
        Create(None),
        Create(None),
        Switch(Back(3), Pass),
        Switch(Back(2), Pass),
        Switch(Back(0), Catch),
        Drop(Me),
        Drop(Back(0)),
        Drop(Back(0)),
        Throw(Back(0), Pass),
        Create(None),
        Switch(Root, Pass),
    ]);
}
