//! Birth and death: who starts, who hears of an end, and how somebody is unwound from outside.

use super::{Message, Number, Phase, ROOT, Rules, Step, Type};
use crate::program::Mode;
use crate::trace::{Error, Event, NotKilled, Refusal};

impl Rules {
    pub(super) fn start(&mut self, number: Number) {
        self.greenlets[number].phase = Phase::Active;
        self.greenlets[number].todo.push(Step::Begin);
    }

    /// Ends one that never ran: its body is dropped.
    pub(super) fn end_unstarted(&mut self, number: Number) {
        self.greenlets[number].phase = Phase::Dead;
        if self.greenlets[number].has_body {
            self.log(Event::Guard(number));
        }
    }

    /// The running greenlet ends, and its outcome goes to its parent.
    pub(super) fn leave(&mut self, mut outcome: Message) {
        if outcome.is_err() {
            self.unwinding -= 1;
        }
        // Rule: the parent is read now, and not when the greenlet was made or started; for one that
        // is being unwound it is who does that.
        let mut receiver = self.parent_now(self.running).expect("the root does not end");
        // Rule: a dead parent is skipped; an unstarted one is ended by an error, and skipped, too,
        loop {
            match self.greenlets[receiver].phase {
                Phase::Active => break,
                // or is started with a result.
                Phase::Unstarted if outcome.is_ok() && self.greenlets[receiver].has_body => {
                    self.start(receiver);
                    break;
                }
                // Rule: a parent that cannot start stays as it is, and why goes on in place of the
                // result.
                Phase::Unstarted if outcome.is_ok() => {
                    outcome = Err(Error::Refused(Refusal::NoBody, outcome.ok()));
                }
                // Rule: an error passes by one that has nothing to run, and leaves it as it is.
                Phase::Unstarted if !self.greenlets[receiver].has_body => {}
                Phase::Unstarted => self.end_unstarted(receiver),
                Phase::Dead => {}
            }
            receiver = self.greenlets[receiver].parent.expect("the root never dies");
        }
        // Rule: for who waits for somebody to be unwound, an exit is a normal end.
        if outcome == Err(Error::Exit) && self.unwinds(receiver) {
            outcome = Ok(0);
        }
        // Rule: who waits for something else than the result is told so, and has it in the error.
        if outcome.is_ok() && !self.takes(receiver, Type::Usual) {
            outcome = Err(Error::Refused(Refusal::WrongType, outcome.ok()));
        }
        self.me().phase = Phase::Dead;
        self.go(receiver, outcome);
    }

    /// The running greenlet kills one, through a handle that goes when that is over.
    pub(super) fn kill(&mut self, victim: Number, mode: Mode) {
        match self.greenlets[victim].phase {
            // Rule: killing the dead is harmless.
            Phase::Dead => self.killed(victim, Ok(())),
            // Rule: one that never started ends without running, and nobody hears of it.
            Phase::Unstarted => {
                self.end_unstarted(victim);
                self.killed(victim, Ok(()));
            }
            // Rule: who kills itself unwinds from there.
            Phase::Active if victim == self.running => self.raise_in_killer(victim, mode, Error::Exit),
            // Rule: the root does not end, so it just has the exit raised in it.
            Phase::Active if victim == ROOT => {
                self.me().todo.push(Step::WaitForKill { victim, mode });
                self.deliver(ROOT, Type::Usual, Err(Error::Exit));
            }
            // Rule: a second killer is refused.
            Phase::Active if self.cannot_be_unwound(victim) => {
                self.killed(victim, Err(NotKilled::Refused));
            }
            Phase::Active => {
                self.me().todo.push(Step::WaitForKill { victim, mode });
                self.unwind(victim);
            }
        }
    }

    pub(super) fn end_of_kill(&mut self, victim: Number, mode: Mode, message: Message) {
        self.greenlets[victim].unwinder = None;
        let dead = self.greenlets[victim].phase == Phase::Dead;
        match message {
            Ok(_) if dead => self.killed(victim, Ok(())),
            // Rule: if anything else brings control back, the victim has refused to die.
            Ok(_) => self.killed(victim, Err(NotKilled::Refused)),
            // Rule: an error that the dying victim leaves is in the killer's result,
            Err(error) if dead => self.killed(victim, Err(NotKilled::Panicked(error))),
            // and any other is raised in the killer.
            Err(error) => self.raise_in_killer(victim, mode, error),
        }
    }

    fn killed(&mut self, victim: Number, result: Result<(), NotKilled>) {
        self.log(Event::Killed(result));
        self.me().todo.push(Step::Release(victim));
    }

    fn raise_in_killer(&mut self, via: Number, mode: Mode, error: Error) {
        if self.passes(mode) {
            return self.raise(error, Some(via));
        }
        let error = match error {
            Error::Refused(refusal, _) => Error::Panic(refusal),
            error => error,
        };
        self.log(Event::RaisedInKiller(error));
        self.me().todo.push(Step::Release(via));
    }

    pub(super) fn cannot_be_unwound(&self, victim: Number) -> bool {
        self.greenlets[victim].unwinder.is_some() || self.greenlets[victim].abandoned
    }

    /// Raises the exit in a suspended greenlet. The running one waits already, and is its parent for
    /// the time of it, whether a panic is on its way or not.
    pub(super) fn unwind(&mut self, victim: Number) {
        self.greenlets[victim].unwinder = Some(self.running);
        self.go(victim, Err(Error::Exit));
    }
}
