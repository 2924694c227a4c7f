//! What can be observed of a run: the same words for the crate and for the rules.

use std::fmt;

/// Something that happened, and who was running.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub running: usize,
    pub event: Event,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.running, self.event)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A body began, with this value.
    Started(u64),
    /// A switch or a throw came back with this.
    Got(Result<u64, Error>),
    /// A kill came back.
    Killed(Result<(), NotKilled>),
    /// Something else was raised where a kill waited, and was caught.
    RaisedInKiller(Error),
    SetParent(Result<(), NoParent>),
    /// The guard in this greenlet's body was dropped.
    Guard(usize),
    /// The crate had nobody to tell but the report hook.
    Report(Complaint, usize),
    /// What all handles in the table say after an operation.
    Sees(Vec<Look>),
}

/// One greenlet, from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Look {
    pub number: usize,
    pub state: State,
    pub parent: Option<usize>,
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.number, self.state)?;
        self.parent.map_or(Ok(()), |parent| write!(f, " below {parent}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Unstarted,
    Suspended,
    Running,
    Dead,
}

/// What came in place of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `GreenletExit`.
    Exit,
    /// The error with this number.
    Fault(u64),
    /// Nothing moved. A value that could not be sent came back.
    Refused(Refusal, Option<u64>),
    /// A refusal that nobody caught has become a panic.
    Panic(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Unwinding,
    Abandoned,
    NoBody,
    WrongType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotKilled {
    Refused,
    Panicked(Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoParent {
    Root,
    Cycle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    PanickedWhileDropped,
    Abandoned,
    Undelivered,
}
