//! Programs: lists of operations for whoever runs.
//!
//! The greenlet that runs takes the next operation and executes it. So one list drives all
//! greenlets, and a switch is seen at once: the next operation is somebody else's.

use proptest::collection::vec;
use proptest::prelude::*;

/// How many greenlets a program may make, the root included.
pub const MOST: usize = 50;

/// What the running greenlet does next.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Makes a greenlet and puts its handle into the table. Without a parent it gets the usual one.
    Create(Option<Target>),
    /// Makes a greenlet that has nothing to run yet.
    CreateWithoutBody,
    /// Gives a greenlet that has none a body.
    SetBody(Target),
    /// Sends the next number.
    Switch(Target, Mode),
    /// Sends the next number as a value of another type, and waits for one of that type.
    SwitchOther(Target, Mode),
    /// Throws an error with the next number.
    Throw(Target, Mode),
    /// Throws what a kill raises, but without being a kill: the parent will hear of it.
    ThrowExit(Target, Mode),
    Kill(Target, Mode),
    /// Drops the handle that is in the table.
    Drop(Target),
    /// Moves the handle from the table to the running greenlet's own stack.
    Keep(Target),
    /// Puts a handle of the running greenlet into the table.
    HandleOfMe,
    /// Puts a handle of the running greenlet's parent into the table.
    HandleOfParent,
    /// Puts a handle of the greenlet with this number, modulo how many there are, into the table, if
    /// a weak handle still finds it.
    Upgrade(usize),
    /// Makes the second one the parent of the first one.
    SetParent(Target, Target),
    /// Returns the next number from the body. The root does nothing.
    Finish,
    /// Panics with the next number. The root does nothing.
    Panic,
}

/// Whom an operation is about. Only who is in the table of handles can be chosen.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Me,
    MyParent,
    Root,
    /// The latest one, for 0, or so many before it; modulo the number of handles in the table.
    Back(usize),
}

impl Target {
    /// The greenlet's number. `table` says of each number whether there is a handle.
    pub fn find(self, me: usize, parent: Option<usize>, table: &[bool]) -> Option<usize> {
        let number = match self {
            Target::Me => me,
            Target::MyParent => parent?,
            Target::Root => 0,
            Target::Back(back) => {
                let present: Vec<usize> = (0..table.len()).filter(|&number| table[number]).rev().collect();
                *present.get(back % present.len().max(1))?
            }
        };
        table[number].then_some(number)
    }
}

/// What becomes of something that is raised where an operation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It unwinds the body (`switch`). The root catches whatever comes.
    Pass,
    /// It is caught, and the body goes on (`try_switch`).
    Catch,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        6 => (0..MOST).prop_map(Target::Back),
        4 => (0_usize..4).prop_map(Target::Back),
        2 => Just(Target::MyParent),
        2 => Just(Target::Root),
        1 => Just(Target::Me),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Pass), Just(Mode::Catch)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => Just(Op::Create(None)),
        5 => target().prop_map(|parent| Op::Create(Some(parent))),
        1 => Just(Op::CreateWithoutBody),
        1 => target().prop_map(Op::SetBody),
        16 => (target(), mode()).prop_map(|(to, mode)| Op::Switch(to, mode)),
        1 => (target(), mode()).prop_map(|(to, mode)| Op::SwitchOther(to, mode)),
        3 => (target(), mode()).prop_map(|(to, mode)| Op::Throw(to, mode)),
        1 => (target(), mode()).prop_map(|(to, mode)| Op::ThrowExit(to, mode)),
        3 => (target(), mode()).prop_map(|(to, mode)| Op::Kill(to, mode)),
        5 => target().prop_map(Op::Drop),
        3 => Just(Op::Drop(Target::Me)),
        3 => target().prop_map(Op::Keep),
        1 => Just(Op::HandleOfMe),
        1 => Just(Op::HandleOfParent),
        1 => (0..MOST).prop_map(Op::Upgrade),
        4 => (target(), target()).prop_map(|(child, parent)| Op::SetParent(child, parent)),
        3 => Just(Op::Finish),
        1 => Just(Op::Panic),
    ]
}

/// Programs of up to so many operations.
pub fn programs(most: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 0..most)
}
