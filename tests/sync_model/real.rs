//! What the crate does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use greenlet::queue::{
    Buffer, Channel, GetError, LifoQueue, PriorityQueue, PutError, Queue, QueueOf, Select, Storage,
};
use greenlet::{GreenThread, spawn, with_timeout, yield_now};

use crate::program::{Action, Kind, Limit, Op, Program};
use crate::trace::{Entry, Outcome};

/// What a program does, on a thread and a hub of its own.
pub fn run(program: &Program) -> std::thread::Result<Vec<Entry>> {
    let program = program.clone();
    std::thread::spawn(move || {
        let world = Rc::new(World {
            queues: program.kinds.map(queue),
            next_item: Cell::new(0),
            trace: RefCell::default(),
        });
        let mut tasks = Vec::new();
        for op in &program.ops {
            world.execute(op, &mut tasks);
        }
        tasks.iter().for_each(|task| task.kill().unwrap());
        yield_now();
        yield_now();
        assert!(tasks.iter().all(|task| task.is_finished()));
        for queue in &world.queues {
            let waiting = (queue.line.getting(), queue.line.putting());
            assert_eq!(waiting, (0, 0), "nobody is left");
            world.note(None, Outcome::Left(queue.line.shutdown_now()));
        }
        world.trace.take()
    })
    .join()
}

struct World {
    queues: [AnyQueue; 2],
    next_item: Cell<u32>,
    trace: RefCell<Vec<Entry>>,
}

/// A queue of whatever kind.
struct AnyQueue {
    line: Rc<dyn Line>,
    room: Option<Rc<dyn Room>>,
}

fn queue(kind: Kind) -> AnyQueue {
    fn with_room<S: Buffer<Item = u32> + 'static>(queue: QueueOf<S>) -> AnyQueue {
        let queue = Rc::new(queue);
        AnyQueue { line: queue.clone(), room: Some(queue) }
    }
    match kind {
        Kind::Fifo(capacity) => with_room(Queue::bounded(capacity)),
        Kind::Lifo(capacity) => with_room(LifoQueue::bounded(capacity)),
        Kind::Priority(capacity) => with_room(PriorityQueue::bounded(capacity)),
        Kind::Channel => AnyQueue { line: Rc::new(Channel::new()), room: None },
    }
}

trait Line {
    fn get(&self, timeout: Option<Duration>) -> Outcome;
    fn put(&self, item: u32, timeout: Option<Duration>) -> Outcome;
    fn try_get(&self) -> Outcome;
    fn try_put(&self, item: u32) -> Outcome;
    fn choose_get<'a>(&'a self, from: Select<'a, Outcome>, case: usize) -> Select<'a, Outcome>;
    fn choose_put<'a>(&'a self, from: Select<'a, Outcome>, item: &'a mut Option<u32>) -> Select<'a, Outcome>;
    fn task_done(&self) -> bool;
    fn join(&self);
    fn shutdown(&self);
    fn shutdown_now(&self) -> Vec<u32>;
    fn getting(&self) -> usize;
    fn putting(&self) -> usize;
}

trait Room {
    fn peek(&self) -> Outcome;
    fn try_peek(&self) -> Outcome;
    fn resize(&self, capacity: usize);
}

fn got(result: Result<u32, GetError>) -> Outcome {
    match result {
        Ok(item) => Outcome::Got(item),
        Err(GetError::Empty) => Outcome::Empty,
        Err(GetError::ShutDown) => Outcome::NothingLeft,
    }
}

fn put(result: Result<(), PutError<u32>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Put,
        Err(PutError::Full(item)) => Outcome::Full(item),
        Err(PutError::ShutDown(item)) => Outcome::Refused(item),
    }
}

fn peeked(result: Result<u32, GetError>) -> Outcome {
    result.map_or_else(|error| got(Err(error)), Outcome::Peeked)
}

impl<S: Storage<Item = u32>> Line for QueueOf<S> {
    fn get(&self, timeout: Option<Duration>) -> Outcome {
        got(timeout.map_or_else(|| self.get(), |timeout| self.get_timeout(timeout)))
    }

    fn put(&self, item: u32, timeout: Option<Duration>) -> Outcome {
        put(match timeout {
            None => self.put(item),
            Some(timeout) => self.put_timeout(item, timeout),
        })
    }

    fn try_get(&self) -> Outcome {
        got(self.try_get())
    }

    fn try_put(&self, item: u32) -> Outcome {
        put(self.try_put(item))
    }

    fn choose_get<'a>(&'a self, from: Select<'a, Outcome>, case: usize) -> Select<'a, Outcome> {
        from.get(self, move |item| Outcome::Chose(case, Box::new(got(item))))
    }

    fn choose_put<'a>(&'a self, from: Select<'a, Outcome>, item: &'a mut Option<u32>) -> Select<'a, Outcome> {
        from.put(self, item, |result| Outcome::Chose(1, Box::new(put(result))))
    }

    fn task_done(&self) -> bool {
        self.task_done().is_ok()
    }

    fn join(&self) {
        self.join();
    }

    fn shutdown(&self) {
        self.shutdown();
    }

    fn shutdown_now(&self) -> Vec<u32> {
        self.shutdown_now()
    }

    fn getting(&self) -> usize {
        self.getting()
    }

    fn putting(&self) -> usize {
        self.putting()
    }
}

impl<S: Buffer<Item = u32>> Room for QueueOf<S> {
    fn peek(&self) -> Outcome {
        peeked(self.peek())
    }

    fn try_peek(&self) -> Outcome {
        peeked(self.try_peek())
    }

    fn resize(&self, capacity: usize) {
        self.resize(capacity);
    }
}

impl World {
    fn note(&self, who: Option<usize>, outcome: Outcome) {
        self.trace.borrow_mut().push((who, outcome));
    }

    fn new_item(&self) -> u32 {
        self.next_item.set(self.next_item.get() + 1);
        self.next_item.get() * 7 % 1000
    }

    fn execute(self: &Rc<Self>, op: &Op, tasks: &mut Vec<GreenThread<()>>) {
        match *op {
            Op::Spawn(ref actions) => {
                let task = Running { world: self.clone(), number: tasks.len(), is_through: false };
                let actions = actions.clone();
                tasks.push(spawn(move || task.run(&actions)));
            }
            Op::Kill(back) => {
                if let Some(task) = tasks.iter().rev().nth(back) {
                    task.kill().unwrap();
                }
            }
            Op::Yield => yield_now(),
            Op::TryGet(queue) => self.note(None, self.queues[queue].line.try_get()),
            Op::TryPut(queue) => self.note(None, self.queues[queue].line.try_put(self.new_item())),
            Op::TryPeek(queue) => {
                if let Some(room) = &self.queues[queue].room {
                    self.note(None, room.try_peek());
                }
            }
            Op::TaskDone(queue) => self.note(None, Outcome::TaskDone(self.queues[queue].line.task_done())),
            Op::Resize(queue, capacity) => {
                if let Some(room) = &self.queues[queue].room {
                    room.resize(capacity);
                }
            }
            Op::Shutdown(queue) => self.queues[queue].line.shutdown(),
            Op::ShutdownNow(queue) => self.note(None, Outcome::Left(self.queues[queue].line.shutdown_now())),
        }
    }
}

/// A task. Dropped before it is through, it has been killed.
struct Running {
    world: Rc<World>,
    number: usize,
    is_through: bool,
}

impl Running {
    fn run(mut self, actions: &[Action]) {
        for action in actions {
            let outcome = self.act(*action);
            self.world.note(Some(self.number), outcome);
        }
        self.is_through = true;
    }

    fn act(&self, action: Action) -> Outcome {
        let line = |queue: usize| &*self.world.queues[queue].line;
        match action {
            Action::Get(queue, limit) => limited(limit, |timeout| line(queue).get(timeout)),
            Action::Put(queue, limit) => {
                let item = self.world.new_item();
                limited(limit, |timeout| line(queue).put(item, timeout))
            }
            Action::Peek(queue) => {
                self.world.queues[queue].room.as_ref().map_or(Outcome::Empty, |room| room.peek())
            }
            Action::Join(queue) => {
                line(queue).join();
                Outcome::Joined
            }
            Action::ChooseGet(one, other) => {
                let select = line(one).choose_get(Select::new(), 0);
                line(other).choose_get(select, 1).wait()
            }
            Action::ChooseBoth(from, into) => {
                let mut item = Some(self.world.new_item());
                let select = line(from).choose_get(Select::new(), 0);
                line(into).choose_put(select, &mut item).wait()
            }
            Action::Yield => {
                yield_now();
                Outcome::Joined
            }
        }
    }
}

fn limited(limit: Limit, wait: impl FnOnce(Option<Duration>) -> Outcome) -> Outcome {
    match limit {
        Limit::None => wait(None),
        Limit::Timeout => wait(Some(Duration::ZERO)),
        Limit::Within => with_timeout(Duration::ZERO, || wait(None)).unwrap_or(Outcome::Elapsed),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_through {
            self.world.note(Some(self.number), Outcome::Killed);
        }
    }
}
