//! Random programs of tasks that spawn, wait for, link to, time out and kill one another. Whatever they
//! do to each other, everybody ends, nothing is leaked, and nobody waits for what never comes.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::pool::{Group, Pile, Pool};
use greenlet::sync::{Event, Semaphore};
use greenlet::{
    GreenThread, Greenlet, Task, Timeout, hub, idle, iwait, join_all, kill_all, spawn, spawn_later, wait,
    with_timeout, yield_now,
};

use crate::{FOREVER, reports};

const PROGRAMS: u64 = 400;
const STEPS: usize = 12;
const DEPTH: u32 = 3;

/// What the tasks of one program share.
struct World {
    random: RefCell<u64>,
    tasks: RefCell<Vec<Task>>,
    event: Event,
    slots: Semaphore,
    pool: Pool,
    group: Group,
    /// Every task has a clone of it.
    token: Rc<()>,
}

impl World {
    fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            random: RefCell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            tasks: RefCell::default(),
            event: Event::new(),
            slots: Semaphore::new(1),
            pool: Pool::new(2),
            group: Group::new(),
            token: Rc::new(()),
        })
    }

    /// A number below `bound`: xorshift.
    fn pick(&self, bound: usize) -> usize {
        let mut random = self.random.borrow_mut();
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        (*random >> 33) as usize % bound
    }

    fn somebody(&self) -> Option<Task> {
        let count = self.tasks.borrow().len();
        (count > 0).then(|| self.tasks.borrow()[self.pick(count)].clone())
    }

    fn some(&self) -> Vec<Task> {
        let own = Task::current();
        (0..self.pick(4)).filter_map(|_| self.somebody()).filter(|task| own.as_ref() != Some(task)).collect()
    }

    /// What a task of this program does.
    fn body(self: &Rc<Self>, depth: u32) -> impl FnOnce() -> usize + 'static {
        let (world, token) = (self.clone(), self.token.clone());
        move || {
            let _token = token;
            (0..world.pick(STEPS)).for_each(|_| world.step(depth));
            world.pick(100)
        }
    }

    fn spawn_one(self: &Rc<Self>, depth: u32) -> GreenThread<usize> {
        let body = self.body(depth);
        let task = match self.pick(5) {
            0 => spawn_later(Duration::from_micros(self.pick(50) as u64), body),
            1 => Greenlet::builder().name("named").spawn(body),
            2 => self.group.spawn(body),
            _ => spawn(body),
        };
        self.tasks.borrow_mut().push(task.clone());
        task
    }

    fn step(self: &Rc<Self>, depth: u32) {
        let brief = Duration::from_micros(self.pick(30) as u64);
        let short = Some(brief);
        let deeper = depth.checked_sub(1);
        match (self.pick(24), deeper) {
            (0..=2, Some(depth)) => drop(self.spawn_one(depth)),
            (3, Some(depth)) => drop(self.spawn_one(depth).join()),
            (4, Some(depth)) => drop(self.spawn_one(depth).join_timeout(Duration::ZERO)),
            (5, Some(depth)) => {
                let body = self.body(depth);
                drop(self.pool.spawn_timeout(brief, body).map(drop));
            }
            (6, Some(depth)) => {
                let world = self.clone();
                let items = 0..self.pick(5);
                let results = self.pool.imap_unordered(items, move |_| world.body(depth)());
                _ = results.take(2).count();
            }
            (7, Some(depth)) => {
                let pile = Pile::new(&self.group);
                (0..self.pick(3)).for_each(|_| pile.spawn(self.body(depth)));
                drop(pile.next());
            }
            (8, _) => _ = self.somebody().map(|task| task.kill()),
            (9, _) => _ = self.somebody().map(|task| task.kill_with("an error")),
            (10, _) => _ = self.somebody().map(|task| task.cancel()),
            (11, _) => drop(kill_all(self.some())),
            (12, _) => {
                let world = self.clone();
                if let Some(task) = self.somebody() {
                    let link = task.link(move |_| world.step(0));
                    if self.pick(2) == 0 {
                        task.unlink(link);
                    }
                }
            }
            (13, _) => drop(join_all(self.some(), short)),
            (14, _) => drop(wait(self.some(), short, Some(1))),
            (15, _) => _ = iwait(self.some()).within(Duration::ZERO).next(),
            (16, _) => _ = with_timeout(short, || self.event.wait()),
            (17, _) => self.event.set(),
            (18, _) => self.event.clear(),
            (19, _) => {
                let _slot = self.slots.acquire_timeout(brief);
                yield_now();
            }
            (20, _) => std::mem::forget(Timeout::start_new(short)),
            (21, _) => self.pool.resize(self.pick(4)),
            (22, _) => drop(catch_unwind(AssertUnwindSafe(yield_now))),
            (23, _) if self.pick(10) == 0 => resume_unwind(Box::new("a step fails")),
            (23, _) => idle(),
            _ => yield_now(),
        }
    }
}

#[test]
fn random_programs_of_tasks_come_to_their_end_and_leak_nothing() {
    reports();
    for seed in 0..PROGRAMS {
        let world = World::new(seed);
        let first: Vec<_> = (0..5).map(|_| world.spawn_one(DEPTH)).collect();
        // Those who wait for what nobody sets are told; then all that is left is killed.
        assert!(hub::join(Some(FOREVER)), "program {seed}");
        world.pool.resize(2);
        world.pool.kill();
        world.group.kill();
        for _ in 0..3 {
            let left = Task::all();
            kill_all(&left).unwrap();
            join_all(&left, Some(Duration::from_millis(1)));
        }
        assert!(hub::join(Some(FOREVER)), "program {seed}");
        let left: Vec<_> = Task::all().iter().map(|task| (task.id(), task.waits_for())).collect();
        assert!(left.is_empty(), "program {seed}: {left:?}");
        let pool = &world.pool;
        let counts = (pool.len(), pool.waiting(), pool.free());
        assert_eq!(counts, (0, 0, pool.size() as isize), "program {seed}");
        assert_eq!((world.group.len(), world.slots.available()), (0, 1), "program {seed}");
        assert!(first.iter().all(|task| task.is_finished()), "program {seed}");
        drop(first);
        world.tasks.take();
        assert_eq!((Rc::strong_count(&world), Rc::strong_count(&world.token)), (1, 1), "program {seed}");
    }
}
