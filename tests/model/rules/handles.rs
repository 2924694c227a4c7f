//! What keeps a greenlet, and what happens when nothing does.
//!
//! Nothing is counted. Whether anybody refers to a greenlet is found out by looking everywhere a
//! reference can be: in the table, on the stacks, and in the links to parents. An unwinder is linked
//! to as a parent is.

use super::{Greenlet, Message, Number, Phase, ROOT, Rules, Step};
use crate::trace::{Complaint, Event};

impl Rules {
    /// Whether anybody refers to a greenlet.
    pub(super) fn is_wanted(&self, number: Number) -> bool {
        let is_referred_to_by = |other: &Greenlet| {
            !other.gone
                && (other.parent == Some(number)
                    || other.unwinder == Some(number)
                    || other.kept.contains(&number)
                    || other.todo.iter().any(|step| step.holds() == Some(number)))
        };
        number == ROOT || self.table[number] || self.greenlets.iter().any(is_referred_to_by)
    }

    /// Whether a weak handle finds it. Rule: not once the last full one has gone, unless the greenlet
    /// took another one while it was being unwound because of that, and has lived on.
    pub(super) fn can_be_found(&self, number: Number) -> bool {
        let drops_it = |step: &Step| matches!(*step, Step::WaitForDrop { victim } if victim == number);
        let is_being_dropped = self.greenlets.iter().any(|other| other.todo.iter().any(drops_it));
        let this = &self.greenlets[number];
        !this.gone && !this.abandoned && !is_being_dropped
    }

    pub(super) fn take_from_table(&mut self, number: Number) {
        if std::mem::replace(&mut self.table[number], false) {
            self.me().todo.push(Step::Release(number));
        }
    }

    /// A reference has gone. If it was the last one:
    pub(super) fn let_go_if_unwanted(&mut self, number: Number) {
        if self.is_wanted(number) {
            return;
        }
        match self.greenlets[number].phase {
            // Rule: who runs is left alone until it is left.
            Phase::Active if number == self.running => {}
            Phase::Active if self.cannot_be_unwound(number) => {}
            // Rule: who is suspended is unwound here and now.
            Phase::Active => {
                self.me().todo.push(Step::WaitForDrop { victim: number });
                self.unwind(number);
            }
            // Rule: the body of one that never started is dropped.
            Phase::Unstarted => {
                self.end_unstarted(number);
                self.forget(number);
            }
            Phase::Dead => self.forget(number),
        }
    }

    /// Its link to its parent goes with it.
    fn forget(&mut self, number: Number) {
        self.greenlets[number].gone = true;
        let parent = self.greenlets[number].parent.expect("the root is never forgotten");
        self.me().todo.push(Step::Release(parent));
    }

    /// Control is back where a last handle was dropped.
    pub(super) fn end_of_drop(&mut self, victim: Number, message: Message) {
        self.greenlets[victim].unwinder = None;
        let dead = self.greenlets[victim].phase == Phase::Dead;
        if message.is_err() {
            // Rule: a drop returns nothing and raises nothing, so errors are reported: that of the
            // victim as well as one that somebody throws at who drops.
            if dead {
                self.log(Event::Report(Complaint::PanickedWhileDropped, victim));
            } else {
                self.log(Event::Report(Complaint::Undelivered, self.running));
            }
        }
        // Rule: who catches the exit and goes elsewhere may have taken a handle to itself meanwhile;
        // then it lives on. Otherwise it is leaked.
        if !dead && !self.is_wanted(victim) {
            self.greenlets[victim].abandoned = true;
            self.log(Event::Report(Complaint::Abandoned, victim));
        }
        self.me().todo.push(Step::Release(victim));
    }
}
