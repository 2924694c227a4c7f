//! The rules of queues: who is promised an item or a place, and who is woken for it.

use std::collections::VecDeque;

use super::{Woken, World};
use crate::program::Kind;
use crate::trace::Outcome;

pub(super) struct Line {
    pub(super) kind: Kind,
    items: Vec<u32>,
    pub(super) capacity: usize,
    claimed: usize,
    pub(super) reserved: usize,
    pub(super) getters: VecDeque<usize>,
    pub(super) putters: VecDeque<(usize, u32)>,
    pub(super) handing: VecDeque<(usize, u32)>,
    pub(super) joiners: VecDeque<usize>,
    pub(super) shut_down: bool,
    pub(super) unfinished: usize,
}

impl World<'_> {
    pub(super) fn can_get(&self, queue: usize) -> bool {
        let line = &self.queues[queue];
        let offered = line.kind == Kind::Channel && !line.putters.is_empty();
        !line.is_claimed() || offered || line.shut_down
    }

    pub(super) fn can_put(&self, queue: usize) -> bool {
        !self.queues[queue].is_full() || self.queues[queue].shut_down
    }

    pub(super) fn try_get(&mut self, queue: usize) -> Option<Outcome> {
        let line = &mut self.queues[queue];
        if !line.is_claimed() {
            return self.pop(queue).map(Outcome::Got);
        }
        let offer = if line.kind == Kind::Channel { line.putters.pop_front() } else { None };
        match offer {
            Some((putter, item)) => {
                line.unfinished += 1;
                self.wake(putter, Woken::Done);
                Some(Outcome::Got(item))
            }
            None if line.shut_down => Some(Outcome::NothingLeft),
            None => None,
        }
    }

    pub(super) fn try_put(&mut self, queue: usize, item: u32) -> Option<Outcome> {
        if self.queues[queue].shut_down {
            return Some(Outcome::Refused(item));
        }
        if self.queues[queue].is_full() {
            return None;
        }
        self.push(queue, item);
        Some(Outcome::Put)
    }

    pub(super) fn push(&mut self, queue: usize, item: u32) {
        self.queues[queue].items.push(item);
        self.queues[queue].unfinished += 1;
        self.promise_item(queue);
    }

    fn pop(&mut self, queue: usize) -> Option<u32> {
        let line = &mut self.queues[queue];
        let item = line.take_item();
        if line.kind != Kind::Channel {
            self.promise_place(queue);
        } else if let Some(&(putter, handed)) = line.handing.front()
            && Some(handed) == item
        {
            self.wake(putter, Woken::Done);
        }
        item
    }

    /// Whether an item that was handed over is still there, and a getter about to run may take it.
    pub(super) fn is_undecided(&self, (queue, item): (usize, u32)) -> bool {
        let line = &self.queues[queue];
        line.is_claimed() && line.items.contains(&item)
    }

    /// What has come of an item that was handed over.
    pub(super) fn settle_handed(&mut self, (queue, item): (usize, u32)) -> Outcome {
        let line = &mut self.queues[queue];
        let Some(place) = line.items.iter().position(|other| *other == item) else { return Outcome::Put };
        line.items.remove(place);
        let outcome = if line.shut_down { Outcome::Refused(item) } else { Outcome::Full(item) };
        self.finish(queue, 1);
        outcome
    }

    pub(super) fn take_claimed(&mut self, queue: usize) -> Outcome {
        self.queues[queue].claimed -= 1;
        self.pop(queue).map_or(Outcome::NothingLeft, Outcome::Got)
    }

    pub(super) fn finish(&mut self, queue: usize, items: usize) {
        let line = &mut self.queues[queue];
        line.unfinished = line.unfinished.saturating_sub(items);
        while self.queues[queue].unfinished == 0
            && let Some(joiner) = self.queues[queue].joiners.pop_front()
        {
            self.wake(joiner, Woken::Done);
        }
    }

    pub(super) fn shutdown(&mut self, queue: usize) {
        if std::mem::replace(&mut self.queues[queue].shut_down, true) {
            return;
        }
        while let Some((putter, item)) = self.queues[queue].putters.pop_front() {
            self.wake(putter, Woken::ForPlace(queue, item));
        }
        while let Some(&(putter, _)) = self.queues[queue].handing.front() {
            self.wake(putter, Woken::Done);
        }
        while let Some(getter) = self.queues[queue].getters.pop_front() {
            self.queues[queue].claimed += 1;
            self.wake(getter, Woken::ForItem(queue));
        }
    }

    pub(super) fn shutdown_now(&mut self, queue: usize) -> Vec<u32> {
        self.shutdown(queue);
        let left: Vec<_> = std::iter::from_fn(|| self.pop(queue)).collect();
        self.finish(queue, left.len());
        left
    }

    // Who is promised what.

    fn wake(&mut self, task: usize, what_for: Woken) {
        self.leave_all(task);
        self.tasks[task].woken = Some(what_for);
        self.make_ready(task);
    }

    pub(super) fn leave_all(&mut self, task: usize) {
        for line in &mut self.queues {
            for waiting in [&mut line.getters, &mut line.joiners] {
                waiting.retain(|other| *other != task);
            }
            for waiting in [&mut line.putters, &mut line.handing] {
                waiting.retain(|(other, _)| *other != task);
            }
        }
    }

    pub(super) fn offered(&self, task: usize) -> Option<u32> {
        let mut offers = self.queues.iter().flat_map(|line| &line.putters);
        offers.find(|(putter, _)| *putter == task).map(|(_, item)| *item)
    }

    fn promise_item(&mut self, queue: usize) {
        let line = &mut self.queues[queue];
        if !line.is_claimed()
            && let Some(getter) = line.getters.pop_front()
        {
            line.claimed += 1;
            self.wake(getter, Woken::ForItem(queue));
        }
    }

    pub(super) fn give_up_claim(&mut self, queue: usize) {
        self.queues[queue].claimed -= 1;
        self.promise_item(queue);
    }

    pub(super) fn promise_place(&mut self, queue: usize) -> bool {
        let line = &mut self.queues[queue];
        if line.is_full() {
            return false;
        }
        let Some((putter, item)) = line.putters.pop_front() else { return false };
        line.reserved += 1;
        self.wake(putter, Woken::ForPlace(queue, item));
        true
    }

    pub(super) fn give_up_place(&mut self, queue: usize) {
        if !self.queues[queue].shut_down {
            self.queues[queue].reserved -= 1;
            self.promise_place(queue);
        }
    }
}

impl Line {
    pub(super) fn new(kind: Kind) -> Self {
        let capacity = match kind {
            Kind::Fifo(capacity) | Kind::Lifo(capacity) | Kind::Priority(capacity) => capacity,
            Kind::Channel => 0,
        };
        Self {
            kind,
            items: Vec::new(),
            capacity,
            claimed: 0,
            reserved: 0,
            getters: VecDeque::new(),
            putters: VecDeque::new(),
            handing: VecDeque::new(),
            joiners: VecDeque::new(),
            shut_down: false,
            unfinished: 0,
        }
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.items.len() <= self.claimed
    }

    fn is_full(&self) -> bool {
        self.shut_down
            || match self.kind {
                Kind::Channel => self.getters.is_empty(),
                _ => self.items.len() + self.reserved >= self.capacity,
            }
    }

    pub(super) fn nothing(&self) -> Outcome {
        if self.shut_down { Outcome::NothingLeft } else { Outcome::Empty }
    }

    fn next_place(&self) -> Option<usize> {
        match self.kind {
            _ if self.items.is_empty() => None,
            Kind::Fifo(_) | Kind::Channel => Some(0),
            Kind::Lifo(_) => Some(self.items.len() - 1),
            Kind::Priority(_) => (0..self.items.len()).min_by_key(|place| self.items[*place]),
        }
    }

    pub(super) fn peek(&self) -> Outcome {
        self.next_place().map_or(self.nothing(), |place| Outcome::Peeked(self.items[place]))
    }

    fn take_item(&mut self) -> Option<u32> {
        self.next_place().map(|place| self.items.remove(place))
    }
}
