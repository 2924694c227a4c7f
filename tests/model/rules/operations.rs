//! What the operations of a program do.

use super::{Message, Number, Phase, ROOT, Rules, Step, Type};
use crate::program::{MOST, Mode, Op, Target};
use crate::trace::{Error, Event, Look, NoParent, Refusal, State};

impl Rules {
    pub(super) fn obey(&mut self) {
        self.me().todo.push(Step::Obey);
        let Some(op) = self.program.pop_front() else {
            // The program is over: every body returns.
            return self.finish();
        };
        self.me().todo.push(Step::Look);
        let Some((target, other)) = self.targets(op) else { return };
        match op {
            Op::Create(None) => self.make(Some(self.running), true),
            Op::Create(Some(_)) => self.make(Some(target), true),
            Op::CreateWithoutBody => self.make(Some(self.running), false),
            Op::SetBody(_) => {
                if self.greenlets[target].phase == Phase::Unstarted {
                    self.greenlets[target].has_body = true;
                }
            }
            Op::Switch(_, mode) => {
                let number = self.next_number();
                self.send(target, mode, Type::Usual, Ok(number));
            }
            Op::SwitchOther(_, mode) => {
                let number = self.next_number();
                self.send(target, mode, Type::Other, Ok(number));
            }
            Op::Throw(_, mode) => {
                let number = self.next_number();
                self.send(target, mode, Type::Usual, Err(Error::Fault(number)));
            }
            Op::ThrowExit(_, mode) => self.send(target, mode, Type::Usual, Err(Error::Exit)),
            Op::Kill(_, mode) => self.kill(target, mode),
            Op::Drop(_) => self.take_from_table(target),
            Op::Keep(_) => {
                self.table[target] = false;
                self.me().kept.push(target);
            }
            Op::HandleOfMe => self.table[self.running] = true,
            Op::HandleOfParent => {
                if let Some(parent) = self.parent_now(self.running) {
                    self.table[parent] = true;
                }
            }
            Op::Upgrade(number) => {
                let number = number % self.greenlets.len();
                if self.can_be_found(number) {
                    self.table[number] = true;
                }
            }
            Op::SetParent(..) => self.set_parent(target, other),
            Op::Finish if self.running != ROOT => self.finish(),
            Op::Panic if self.running != ROOT => {
                let number = self.next_number();
                self.raise(Error::Fault(number), None);
            }
            Op::Finish | Op::Panic => {}
        }
    }

    /// The greenlets that an operation is about. `None`: it cannot be done and is skipped.
    fn targets(&self, op: Op) -> Option<(Number, Number)> {
        let parent = self.parent_now(self.running);
        let find = |target: Target| target.find(self.running, parent, &self.table);
        match op {
            Op::Create(_) | Op::CreateWithoutBody if self.greenlets.len() == MOST => None,
            Op::SetParent(child, parent) => Some((find(child)?, find(parent)?)),
            Op::Create(Some(target))
            | Op::SetBody(target)
            | Op::Switch(target, _)
            | Op::SwitchOther(target, _)
            | Op::Throw(target, _)
            | Op::ThrowExit(target, _)
            | Op::Kill(target, _)
            | Op::Drop(target)
            | Op::Keep(target) => Some((find(target)?, ROOT)),
            _ => Some((ROOT, ROOT)),
        }
    }

    fn finish(&mut self) {
        if self.running == ROOT {
            self.me().todo.pop();
        } else {
            let number = self.next_number();
            self.end_body(Ok(number));
        }
    }

    /// A switch or a throw.
    fn send(&mut self, target: Number, mode: Mode, sent: Type, message: Message) {
        self.me().todo.push(Step::Wait { via: target, mode, takes: sent });
        self.deliver(target, sent, message);
    }

    /// Finds out who gets a message from the running greenlet, which waits already.
    pub(super) fn deliver(&mut self, target: Number, sent: Type, message: Message) {
        // Rule: what unwinds must reach its end first. A switch in between is refused.
        if self.unwinding > 0 {
            return self.refuse(Refusal::Unwinding, message);
        }
        let mut receiver = target;
        loop {
            match self.greenlets[receiver].phase {
                // Rule: who switches to itself has the message back at once; so has a living
                // ancestor of the dead one that it switched to.
                Phase::Active if receiver == self.running => {
                    return self.me().todo.push(Step::Take(message));
                }
                // Rule: who refused to die with its last handle is never continued.
                Phase::Active if self.greenlets[receiver].abandoned => {
                    return self.refuse(Refusal::Abandoned, message);
                }
                // Rule: a value goes to who waits for one of its type.
                Phase::Active if message.is_ok() && !self.takes(receiver, sent) => {
                    return self.refuse(Refusal::WrongType, message);
                }
                Phase::Active => return self.go(receiver, message),
                // Rule: an unstarted one without a body takes nothing, and stays as it is.
                Phase::Unstarted if !self.greenlets[receiver].has_body => {
                    return self.refuse(Refusal::NoBody, message);
                }
                // Rule: an unstarted one starts with a value.
                Phase::Unstarted if message.is_ok() => {
                    if sent != Type::Usual {
                        return self.refuse(Refusal::WrongType, message);
                    }
                    self.start(receiver);
                    return self.go(receiver, message);
                }
                // Rule: an error ends it without running it, and goes on to its parent,
                Phase::Unstarted => self.end_unstarted(receiver),
                // as everything does that is sent to a dead one.
                Phase::Dead => {}
            }
            receiver = self.greenlets[receiver].parent.expect("the root never dies");
        }
    }

    /// Whether a suspended greenlet takes values of a type.
    pub(super) fn takes(&self, receiver: Number, sent: Type) -> bool {
        match self.greenlets[receiver].todo.last() {
            Some(Step::Wait { takes, .. }) => *takes == sent,
            Some(Step::WaitForKill { victim: ROOT, .. }) => sent == Type::Usual,
            // Rule: who waits for somebody to be unwound takes anything, and drops it.
            _ => true,
        }
    }

    /// Whether a suspended greenlet waits for somebody to be unwound.
    pub(super) fn unwinds(&self, receiver: Number) -> bool {
        match self.greenlets[receiver].todo.last() {
            Some(Step::WaitForKill { victim, .. }) => *victim != ROOT,
            step => matches!(step, Some(Step::WaitForDrop { .. })),
        }
    }

    /// Nothing moves: the message comes back.
    fn refuse(&mut self, refusal: Refusal, message: Message) {
        self.me().todo.push(Step::Take(Err(Error::Refused(refusal, message.ok()))));
    }

    /// Rule: a parent may be anybody but oneself and one's descendants, at any time; the root has
    /// none.
    fn set_parent(&mut self, child: Number, parent: Number) {
        // The handles through which it is done.
        self.me().todo.extend([Step::Release(parent), Step::Release(child)]);
        let descends = self.ancestors(parent).any(|ancestor| ancestor == child);
        let refusal = match self.greenlets[child].parent {
            None => NoParent::Root,
            Some(_) if descends => NoParent::Cycle,
            Some(old) => {
                self.greenlets[child].parent = Some(parent);
                self.me().todo.extend([Step::Say(Event::SetParent(Ok(()))), Step::Release(old)]);
                return;
            }
        };
        self.log(Event::SetParent(Err(refusal)));
    }

    pub(super) fn look(&mut self) {
        let looks = (0..self.table.len()).filter(|&number| self.table[number]).map(|number| Look {
            number,
            state: match self.greenlets[number].phase {
                Phase::Unstarted => State::Unstarted,
                Phase::Active if number == self.running => State::Running,
                Phase::Active => State::Suspended,
                Phase::Dead => State::Dead,
            },
            parent: self.parent_now(number),
        });
        let looks = looks.collect();
        self.log(Event::Sees(looks));
    }

    /// One and its ancestors, from the bottom up.
    fn ancestors(&self, number: Number) -> impl Iterator<Item = Number> {
        std::iter::successors(Some(number), |&number| self.greenlets[number].parent)
    }

    /// The parent that a greenlet shows: for the time that it is being unwound, who does that.
    pub(super) fn parent_now(&self, number: Number) -> Option<Number> {
        self.greenlets[number].unwinder.or(self.greenlets[number].parent)
    }
}
