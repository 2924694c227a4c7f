//! The rules of greenlets, as a state machine without a single coroutine.
//!
//! A greenlet here is a stack of [`Step`]s that it still has to take, the next one on top; to be
//! suspended is to have a step on top that waits. [`run`] takes the top step of whoever runs, again
//! and again. What the steps do is in the files of this folder: [`operations`], [`life`] (birth and
//! death) and [`handles`]. Where they follow a rule of greenlets, a comment says which.

mod handles;
mod life;
mod operations;

use std::collections::VecDeque;

use crate::program::{Mode, Op};
use crate::trace::{Entry, Error, Event};

/// Greenlets are numbered in the order of their making. The root is number 0.
type Number = usize;

const ROOT: Number = 0;

/// The type of a value. Bodies take and return the usual one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Usual,
    Other,
}

/// What a switch brings: a value, or something raised.
type Message = Result<u64, Error>;

/// Runs a program by the rules; returns what is observed.
pub fn run(program: &[Op]) -> Vec<Entry> {
    let mut rules = Rules {
        program: program.iter().copied().collect(),
        trace: Vec::new(),
        last_number: 0,
        greenlets: Vec::new(),
        table: Vec::new(),
        running: ROOT,
        unwinding: 0,
    };
    rules.make(None, true);
    rules.greenlets[ROOT].phase = Phase::Active;
    rules.greenlets[ROOT].todo = vec![Step::EndAll(1), Step::DropKept, Step::EmptyTable(0), Step::Obey];
    while rules.step() {}
    rules.trace
}

struct Rules {
    program: VecDeque<Op>,
    trace: Vec<Entry>,
    /// The latest number that was sent or thrown.
    last_number: u64,
    greenlets: Vec<Greenlet>,
    /// For whom there is a handle that everybody can use.
    table: Vec<bool>,
    running: Number,
    /// How many panics are on their way through stacks now.
    unwinding: usize,
}

struct Greenlet {
    phase: Phase,
    has_body: bool,
    /// Stays after death, until nobody refers to the greenlet any more.
    parent: Option<Number>,
    /// Who waits for it to be unwound, and stands in for the parent meanwhile.
    unwinder: Option<Number>,
    /// It did not die when its last handle went. It is never continued.
    abandoned: bool,
    /// Nobody referred to it any more, so it is gone with all it had.
    gone: bool,
    /// The handles on its stack that its body drops at the end.
    kept: Vec<Number>,
    /// What it still has to do, the next step last.
    todo: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unstarted,
    /// Running or suspended.
    Active,
    Dead,
}

enum Step {
    /// The body takes the next operation.
    Obey,
    /// The body looks at all greenlets that have a handle in the table,
    Look,
    /// or notes something else.
    Say(Event),
    /// The body begins.
    Begin,
    /// A switch or a throw waits here, made through a handle that goes when it is over.
    Wait {
        via: Number,
        mode: Mode,
        takes: Type,
    },
    /// The same for a kill. The victim is being unwound, or is the root.
    WaitForKill {
        victim: Number,
        mode: Mode,
    },
    /// The drop of a last handle waits for the victim to be unwound.
    WaitForDrop {
        victim: Number,
    },
    /// This has arrived for the step below.
    Take(Message),
    /// A handle, or a link to a parent, goes.
    Release(Number),
    /// The handles on the stack go, the oldest first, then the body's guard.
    DropKept,
    DropGuard,
    /// The body is over, and leaves this to the parent.
    Leave(Message),
    /// The program is over: the root drops what is in the table, from this number on,
    EmptyTable(Number),
    /// and kills whoever is left, so that handles that form a circle are seen to go, too.
    EndAll(Number),
}

impl Step {
    /// Whose handle this step has, if any.
    fn holds(&self) -> Option<Number> {
        match *self {
            Step::Wait { via: number, .. }
            | Step::WaitForKill { victim: number, .. }
            | Step::WaitForDrop { victim: number }
            | Step::Release(number) => Some(number),
            _ => None,
        }
    }
}

impl Rules {
    /// Takes one step; false if the root has nothing left to do.
    fn step(&mut self) -> bool {
        let me = self.running;
        let Some(step) = self.me().todo.pop() else {
            assert_eq!(me, ROOT, "who ends goes elsewhere");
            return false;
        };
        match step {
            Step::Obey => self.obey(),
            Step::Look => self.look(),
            Step::Say(event) => self.log(event),
            Step::Take(message) => self.take(message),
            Step::Release(number) => self.let_go_if_unwanted(number),
            Step::DropKept => {
                let kept = std::mem::take(&mut self.me().kept);
                self.me().todo.extend(kept.into_iter().rev().map(Step::Release));
            }
            Step::DropGuard => self.log(Event::Guard(me)),
            Step::Leave(message) => self.leave(message),
            Step::EmptyTable(number) => {
                if number < self.table.len() {
                    self.me().todo.push(Step::EmptyTable(number + 1));
                    self.take_from_table(number);
                }
            }
            Step::EndAll(number) => {
                if number < self.greenlets.len() {
                    self.me().todo.push(Step::EndAll(number + 1));
                    if self.can_be_found(number) {
                        self.kill(number, Mode::Catch);
                    }
                }
            }
            Step::Begin | Step::Wait { .. } | Step::WaitForKill { .. } | Step::WaitForDrop { .. } => {
                unreachable!("who waits does not run")
            }
        }
        true
    }

    /// The running greenlet takes what has arrived for it.
    fn take(&mut self, message: Message) {
        match self.me().todo.pop().expect("something waits for the message") {
            Step::Begin => {
                let value = message.expect("errors start nobody");
                self.log(Event::Started(value));
                self.me().todo.push(Step::Obey);
            }
            Step::Wait { via, mode, .. } => match message {
                Err(error) if self.passes(mode) => self.raise(error, Some(via)),
                _ => {
                    self.log(Event::Got(message));
                    self.me().todo.push(Step::Release(via));
                }
            },
            Step::WaitForKill { victim, mode } => self.end_of_kill(victim, mode, message),
            Step::WaitForDrop { victim } => self.end_of_drop(victim, message),
            _ => unreachable!("messages go to who waits"),
        }
    }

    /// Control leaves the running greenlet, with a message for another one.
    fn go(&mut self, to: Number, message: Message) {
        let left = self.running;
        self.running = to;
        self.me().todo.push(Step::Take(message));
        // Rule: who is left and has no handle is unwound (or, dead, goes) before the other one sees
        // its message. The message is not lost.
        if !self.is_wanted(left) {
            self.me().todo.push(Step::Release(left));
        }
    }

    /// Something unwinds the running body, first the call that raised it with its handle.
    fn raise(&mut self, error: Error, via: Option<Number>) {
        self.unwinding += 1;
        let error = match error {
            Error::Refused(refusal, _) => Error::Panic(refusal),
            error => error,
        };
        self.end_body(Err(error));
        self.me().todo.extend(via.map(Step::Release));
    }

    /// The running body is over: what is on its stack is dropped, and its outcome goes to its parent.
    fn end_body(&mut self, outcome: Message) {
        // The steps of the operation in progress are cut short.
        while !matches!(self.me().todo.pop(), Some(Step::Obey)) {}
        self.me().todo.extend([Step::Leave(outcome), Step::DropGuard, Step::DropKept]);
    }

    fn make(&mut self, parent: Option<Number>, has_body: bool) {
        self.greenlets.push(Greenlet {
            phase: Phase::Unstarted,
            has_body,
            parent,
            unwinder: None,
            abandoned: false,
            gone: false,
            kept: Vec::new(),
            todo: Vec::new(),
        });
        self.table.push(true);
    }

    fn me(&mut self) -> &mut Greenlet {
        &mut self.greenlets[self.running]
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn log(&mut self, event: Event) {
        self.trace.push(Entry { running: self.running, event });
    }

    /// The root has no body that could be unwound: it catches everything.
    fn passes(&self, mode: Mode) -> bool {
        mode == Mode::Pass && self.running != ROOT
    }
}
