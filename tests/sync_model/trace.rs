//! What is observed of a program.

/// Who observed it: the number of a task, or none for the root.
pub type Entry = (Option<usize>, Outcome);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Got(u32),
    Empty,
    NothingLeft,
    Put,
    Full(u32),
    Refused(u32),
    Peeked(u32),
    Joined,
    /// Which case of a choice happened, and what came of it.
    Chose(usize, Box<Outcome>),
    /// The timeout around the call was over.
    Elapsed,
    Killed,
    TaskDone(bool),
    /// What was in a queue that was shut down.
    Left(Vec<u32>),
}
