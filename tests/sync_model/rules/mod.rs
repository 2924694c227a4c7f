//! What has to happen, said as simply as it can be: lists of numbers of tasks and items.

mod lines;

use std::collections::VecDeque;

use self::lines::Line;
use crate::program::{Action, Kind, Limit, Op, Program, QUEUES};
use crate::trace::{Entry, Outcome};

/// What a program does by the rules. Where they leave a choice, `seen` says what was chosen.
pub fn run(program: &Program, seen: &[Entry]) -> Vec<Entry> {
    let mut world = World::new(program.kinds, seen);
    for op in &program.ops {
        world.execute(op);
    }
    world.end();
    world.trace
}

struct World<'a> {
    queues: Vec<Line>,
    tasks: Vec<Task>,
    /// Who is ready; `None` is the root.
    ready: VecDeque<Option<usize>>,
    round: usize,
    /// In the order in which they were set.
    timers: Vec<Timer>,
    next_item: u32,
    trace: Vec<Entry>,
    seen: &'a [Entry],
}

struct Task {
    actions: VecDeque<Action>,
    state: State,
    /// What it was woken for.
    woken: Option<Woken>,
    /// The item that it has given to a getter, and the channel.
    handed: Option<(usize, u32)>,
    interrupts: Vec<Interrupt>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unstarted,
    Ready,
    Parked,
    Finished,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    ForItem(usize),
    ForPlace(usize, u32),
    /// Its item has been taken, or what it waited for is so.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    Kill,
    Elapsed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    Wake(usize),
    Elapse(usize),
}

impl<'a> World<'a> {
    fn new(kinds: [Kind; QUEUES], seen: &'a [Entry]) -> Self {
        Self {
            queues: kinds.into_iter().map(Line::new).collect(),
            tasks: Vec::new(),
            ready: VecDeque::new(),
            round: 0,
            timers: Vec::new(),
            next_item: 0,
            trace: Vec::new(),
            seen,
        }
    }

    fn note(&mut self, who: Option<usize>, outcome: Outcome) {
        self.trace.push((who, outcome));
    }

    fn new_item(&mut self) -> u32 {
        self.next_item += 1;
        // So that a priority queue has something to do.
        self.next_item * 7 % 1000
    }

    fn execute(&mut self, op: &Op) {
        match *op {
            Op::Spawn(ref actions) => {
                let actions = actions.iter().copied().collect();
                self.tasks.push(Task {
                    actions,
                    state: State::Unstarted,
                    woken: None,
                    handed: None,
                    interrupts: Vec::new(),
                });
                self.ready.push_back(Some(self.tasks.len() - 1));
            }
            Op::Kill(back) if back < self.tasks.len() => self.kill(self.tasks.len() - 1 - back),
            Op::Kill(_) => {}
            Op::Yield => self.yield_root(),
            Op::TryGet(queue) => {
                let got = self.try_get(queue).unwrap_or(Outcome::Empty);
                self.note(None, got);
            }
            Op::TryPut(queue) => {
                let item = self.new_item();
                let put = self.try_put(queue, item).unwrap_or(Outcome::Full(item));
                self.note(None, put);
            }
            Op::TryPeek(queue) if self.queues[queue].kind != Kind::Channel => {
                let line = &self.queues[queue];
                let seen = if line.is_claimed() { line.nothing() } else { line.peek() };
                self.note(None, seen);
            }
            Op::TryPeek(_) => {}
            Op::TaskDone(queue) => {
                let is_one = self.queues[queue].unfinished > 0;
                self.finish(queue, usize::from(is_one));
                self.note(None, Outcome::TaskDone(is_one));
            }
            Op::Resize(queue, capacity) if self.queues[queue].kind != Kind::Channel => {
                self.queues[queue].capacity = capacity;
                while self.promise_place(queue) {}
            }
            Op::Resize(..) => {}
            Op::Shutdown(queue) => self.shutdown(queue),
            Op::ShutdownNow(queue) => {
                let left = self.shutdown_now(queue);
                self.note(None, Outcome::Left(left));
            }
        }
    }

    fn end(&mut self) {
        (0..self.tasks.len()).for_each(|task| self.kill(task));
        self.yield_root();
        self.yield_root();
        for queue in 0..QUEUES {
            let left = self.shutdown_now(queue);
            self.note(None, Outcome::Left(left));
        }
    }

    // Who runs.

    fn yield_root(&mut self) {
        self.ready.push_back(None);
        while let Some(task) = self.next() {
            self.run(task);
        }
    }

    fn next(&mut self) -> Option<usize> {
        loop {
            if self.round == 0 {
                self.fire_timers();
                self.round = self.ready.len();
            } else {
                self.round -= 1;
                if let Some(next) = self.ready.pop_front() {
                    return next;
                }
            }
        }
    }

    fn fire_timers(&mut self) {
        for timer in std::mem::take(&mut self.timers) {
            match timer {
                Timer::Wake(task) => self.make_ready(task),
                Timer::Elapse(task) => {
                    self.tasks[task].interrupts.push(Interrupt::Elapsed);
                    self.make_ready(task);
                }
            }
        }
    }

    fn make_ready(&mut self, task: usize) {
        if self.tasks[task].state == State::Parked {
            self.tasks[task].state = State::Ready;
            self.ready.push_back(Some(task));
        }
    }

    fn kill(&mut self, task: usize) {
        match self.tasks[task].state {
            State::Finished => {}
            State::Unstarted => {
                self.tasks[task].state = State::Finished;
                self.note(Some(task), Outcome::Killed);
            }
            State::Ready | State::Parked => {
                if !self.tasks[task].interrupts.contains(&Interrupt::Kill) {
                    self.tasks[task].interrupts.push(Interrupt::Kill);
                }
                self.make_ready(task);
            }
        }
    }

    fn run(&mut self, task: usize) {
        let goes_on = match self.tasks[task].state {
            State::Finished => false,
            State::Unstarted => true,
            State::Ready | State::Parked => self.resume(task),
        };
        if !goes_on {
            return;
        }
        while let Some(&action) = self.tasks[task].actions.front() {
            self.tasks[task].state = State::Ready;
            match self.begin(task, action) {
                Some(outcome) => self.complete(task, outcome),
                None if self.tasks[task].interrupts.is_empty() => {
                    self.tasks[task].state = State::Parked;
                    return;
                }
                // What is due is raised where it would wait.
                None if self.resume(task) => {}
                None => return,
            }
        }
        self.tasks[task].state = State::Finished;
    }

    fn complete(&mut self, task: usize, outcome: Outcome) {
        self.tasks[task].actions.pop_front();
        self.note(Some(task), outcome);
    }

    /// What a task does that has waited; false if it ends.
    fn resume(&mut self, task: usize) -> bool {
        if self.tasks[task].interrupts.is_empty()
            && self.tasks[task].handed.is_some_and(|handed| self.is_undecided(handed))
        {
            self.leave_all(task);
            self.ready.push_back(Some(task));
            return false;
        }
        let (woken, action) = (self.tasks[task].woken.take(), self.tasks[task].actions[0]);
        self.timers.retain(|timer| ![Timer::Wake(task), Timer::Elapse(task)].contains(timer));
        if self.tasks[task].interrupts.is_empty() {
            let outcome = self.finish_waiting(task, action, woken);
            self.complete(task, outcome);
            return true;
        }
        self.tasks[task].handed = None;
        let interrupt = self.tasks[task].interrupts.remove(0);
        self.leave_all(task);
        match woken {
            Some(Woken::ForItem(queue)) => self.give_up_claim(queue),
            Some(Woken::ForPlace(queue, _)) => self.give_up_place(queue),
            Some(Woken::Done) | None => {}
        }
        match interrupt {
            Interrupt::Elapsed => self.complete(task, Outcome::Elapsed),
            Interrupt::Kill => {
                self.tasks[task].state = State::Finished;
                self.note(Some(task), Outcome::Killed);
            }
        }
        // The timeout around a call is over with it.
        self.tasks[task].interrupts.retain(|interrupt| *interrupt != Interrupt::Elapsed);
        interrupt == Interrupt::Elapsed
    }

    fn finish_waiting(&mut self, task: usize, action: Action, woken: Option<Woken>) -> Outcome {
        let offered = self.offered(task);
        self.leave_all(task);
        if let Some(handed) = self.tasks[task].handed.take() {
            return self.settle_handed(handed);
        }
        let outcome = match (woken, action) {
            (Some(Woken::ForItem(queue)), Action::Peek(_)) => {
                self.give_up_claim(queue);
                self.queues[queue].peek()
            }
            (Some(Woken::ForItem(queue)), _) => self.take_claimed(queue),
            (Some(Woken::ForPlace(queue, item)), _) if self.queues[queue].shut_down => Outcome::Refused(item),
            (Some(Woken::ForPlace(queue, item)), _) => {
                self.queues[queue].reserved -= 1;
                self.push(queue, item);
                Outcome::Put
            }
            (Some(Woken::Done), Action::Join(_)) => Outcome::Joined,
            (Some(Woken::Done), _) => Outcome::Put,
            (None, Action::Get(..)) => Outcome::Empty,
            (None, Action::Put(..)) => offered.map_or(Outcome::Put, Outcome::Full),
            (None, Action::Yield) => Outcome::Joined,
            (None, _) => unreachable!("only getting and putting have timeouts"),
        };
        match (action, woken) {
            (Action::ChooseGet(one, other), Some(Woken::ForItem(queue))) => {
                // Both places are in the same line if it is the same queue: the first one was woken.
                let case = usize::from(one != other && queue == other);
                Outcome::Chose(case, Box::new(outcome))
            }
            (Action::ChooseBoth(..), Some(Woken::ForItem(_))) => Outcome::Chose(0, Box::new(outcome)),
            (Action::ChooseBoth(..), Some(_)) => Outcome::Chose(1, Box::new(outcome)),
            _ => outcome,
        }
    }

    // What is done.

    /// Begins an action. None if it waits.
    fn begin(&mut self, task: usize, action: Action) -> Option<Outcome> {
        match action {
            Action::Yield => {
                self.tasks[task].state = State::Ready;
                self.ready.push_back(Some(task));
                return None;
            }
            Action::Join(queue) => {
                if self.queues[queue].unfinished == 0 {
                    return Some(Outcome::Joined);
                }
                self.queues[queue].joiners.push_back(task);
            }
            Action::Peek(queue) => {
                if self.queues[queue].kind == Kind::Channel {
                    return Some(Outcome::Empty);
                }
                if !self.queues[queue].is_claimed() {
                    return Some(self.queues[queue].peek());
                }
                if self.queues[queue].shut_down {
                    return Some(Outcome::NothingLeft);
                }
                self.queues[queue].getters.push_back(task);
            }
            Action::Get(queue, limit) => {
                if let Some(got) = self.try_get(queue) {
                    return Some(got);
                }
                self.queues[queue].getters.push_back(task);
                self.set_timer(task, limit);
            }
            Action::Put(queue, limit) => {
                let item = self.new_item();
                if self.queues[queue].kind != Kind::Channel || self.queues[queue].shut_down {
                    if let Some(put) = self.try_put(queue, item) {
                        return Some(put);
                    }
                    self.queues[queue].putters.push_back((task, item));
                } else if self.queues[queue].getters.is_empty() {
                    self.queues[queue].putters.push_back((task, item));
                } else {
                    self.push(queue, item);
                    self.queues[queue].handing.push_back((task, item));
                    self.tasks[task].handed = Some((queue, item));
                }
                self.set_timer(task, limit);
            }
            Action::ChooseGet(one, other) => {
                let ready = [one, other].map(|queue| self.can_get(queue));
                if let Some(case) = self.choose(task, ready) {
                    let got = self.try_get([one, other][case]).expect("it can be got");
                    return Some(Outcome::Chose(case, Box::new(got)));
                }
                self.queues[one].getters.push_back(task);
                self.queues[other].getters.push_back(task);
            }
            Action::ChooseBoth(from, into) => {
                let item = self.new_item();
                let ready = [self.can_get(from), self.can_put(into)];
                if let Some(case) = self.choose(task, ready) {
                    let outcome = match case {
                        0 => self.try_get(from).expect("it can be got"),
                        _ => self.try_put(into, item).expect("it can be put"),
                    };
                    return Some(Outcome::Chose(case, Box::new(outcome)));
                }
                self.queues[from].getters.push_back(task);
                self.queues[into].putters.push_back((task, item));
            }
        }
        None
    }

    fn set_timer(&mut self, task: usize, limit: Limit) {
        match limit {
            Limit::None => {}
            Limit::Timeout => self.timers.push(Timer::Wake(task)),
            Limit::Within => self.timers.push(Timer::Elapse(task)),
        }
    }

    /// Which of the cases that can happen does.
    fn choose(&self, task: usize, ready: [bool; 2]) -> Option<usize> {
        let free = || match self.seen.get(self.trace.len()) {
            Some((Some(who), Outcome::Chose(case, _))) if *who == task => *case,
            _ => 0,
        };
        match ready {
            [true, true] => Some(free()),
            [true, false] => Some(0),
            [false, true] => Some(1),
            [false, false] => None,
        }
    }
}
