//! Programs: what the root does, and what the tasks that it spawns do.

use proptest::collection::vec;
use proptest::prelude::*;

/// How many queues there are.
pub const QUEUES: usize = 2;

#[derive(Clone, Debug)]
pub struct Program {
    pub kinds: [Kind; QUEUES],
    pub ops: Vec<Op>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Fifo(usize),
    Lifo(usize),
    Priority(usize),
    Channel,
}

/// What the root does. Queues are named by their numbers.
#[derive(Clone, Debug)]
pub enum Op {
    Spawn(Vec<Action>),
    /// Kills a task: the latest one, for 0, or so many before it.
    Kill(usize),
    /// Lets whoever is ready run.
    Yield,
    TryGet(usize),
    TryPut(usize),
    TryPeek(usize),
    TaskDone(usize),
    Resize(usize, usize),
    Shutdown(usize),
    ShutdownNow(usize),
}

/// What a task does: it may have to wait for it.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Get(usize, Limit),
    Put(usize, Limit),
    Peek(usize),
    Join(usize),
    /// Gets from one queue or from another, which may be the same.
    ChooseGet(usize, usize),
    /// Gets from one queue or puts into another.
    ChooseBoth(usize, usize),
    Yield,
}

/// How long a wait lasts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    None,
    /// A timeout of no time, so that it is over when the hub next looks.
    Timeout,
    /// The same, but of a `with_timeout` around the call.
    Within,
}

fn kind() -> impl Strategy<Value = Kind> {
    let capacity = || prop_oneof![4 => 1_usize..4, 1 => Just(usize::MAX)];
    prop_oneof![
        3 => capacity().prop_map(Kind::Fifo),
        1 => capacity().prop_map(Kind::Lifo),
        1 => capacity().prop_map(Kind::Priority),
        3 => Just(Kind::Channel),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![3 => Just(Limit::None), 1 => Just(Limit::Timeout), 1 => Just(Limit::Within)]
}

fn action() -> impl Strategy<Value = Action> {
    let queue = || 0..QUEUES;
    prop_oneof![
        6 => (queue(), limit()).prop_map(|(queue, limit)| Action::Get(queue, limit)),
        6 => (queue(), limit()).prop_map(|(queue, limit)| Action::Put(queue, limit)),
        1 => queue().prop_map(Action::Peek),
        1 => queue().prop_map(Action::Join),
        2 => (queue(), queue()).prop_map(|(one, other)| Action::ChooseGet(one, other)),
        2 => (queue(), queue()).prop_map(|(from, into)| Action::ChooseBoth(from, into)),
        1 => Just(Action::Yield),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let queue = || 0..QUEUES;
    prop_oneof![
        20 => vec(action(), 1..4).prop_map(Op::Spawn),
        6 => (0_usize..8).prop_map(Op::Kill),
        12 => Just(Op::Yield),
        4 => queue().prop_map(Op::TryGet),
        4 => queue().prop_map(Op::TryPut),
        1 => queue().prop_map(Op::TryPeek),
        2 => queue().prop_map(Op::TaskDone),
        1 => (queue(), 1_usize..5).prop_map(|(queue, capacity)| Op::Resize(queue, capacity)),
        1 => prop_oneof![queue().prop_map(Op::Shutdown), queue().prop_map(Op::ShutdownNow)],
    ]
}

pub fn programs(most: usize) -> impl Strategy<Value = Program> {
    ([kind(), kind()], vec(op(), 0..most)).prop_map(|(kinds, ops)| Program { kinds, ops })
}
