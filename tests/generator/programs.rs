//! Random programs of generators and of the greenlets that resume them: whatever happens, values arrive whole, and in
//! the end nothing is left.
//!
//! Who runs takes the next operation of the program, be it the root, a greenlet or the body of a generator, and be that
//! suspended in a greenlet meanwhile. What a generator is to do by itself has tests with names.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::panicking;

use greenlet::{Generator, GeneratorExit, Greenlet, GreenletExit, Raised, Step, Yielder, unwind_all};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::random::config;

/// What is done next by who runs. Numbers pick from those that nobody has in hand, modulo how many there are.
#[derive(Clone, Copy, Debug)]
enum Op {
    Create,
    Resume(usize, Mode),
    Throw(usize),
    Close(usize),
    Drop(usize),
    /// By a body. Others do nothing.
    Yield(Mode),
    /// By a body or a greenlet. The root does nothing, as below.
    Return,
    Panic,
    CreateGreenlet,
    Switch(usize),
    SwitchToRoot,
    ThrowAt(usize),
    DropGreenlet(usize),
}

/// What becomes of an error that comes back.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// It goes on from there.
    Pass,
    /// It is caught, unless it says to end.
    Catch,
}

fn op() -> impl Strategy<Value = Op> {
    let which = || 0_usize..8;
    let mode = || prop_oneof![Just(Mode::Pass), Just(Mode::Catch)];
    prop_oneof![
        4 => Just(Op::Create),
        10 => (which(), mode()).prop_map(|(which, mode)| Op::Resume(which, mode)),
        2 => which().prop_map(Op::Throw),
        1 => which().prop_map(Op::Close),
        2 => which().prop_map(Op::Drop),
        8 => mode().prop_map(Op::Yield),
        2 => Just(Op::Return),
        1 => Just(Op::Panic),
        2 => Just(Op::CreateGreenlet),
        5 => which().prop_map(Op::Switch),
        3 => Just(Op::SwitchToRoot),
        1 => which().prop_map(Op::ThrowAt),
        2 => which().prop_map(Op::DropGreenlet),
    ]
}

/// A value that takes more than a word. Those that are there are counted.
struct Sent {
    numbers: [u64; 4],
    _counted: Rc<()>,
}

impl Sent {
    fn check(self) {
        assert_eq!(self.numbers, [self.numbers[0]; 4]);
    }
}

type Made = Generator<Sent, Sent, Sent>;

struct World {
    program: RefCell<std::vec::IntoIter<Op>>,
    /// Those that nobody has in hand.
    generators: RefCell<Vec<Made>>,
    greenlets: RefCell<Vec<Greenlet<u64>>>,
    last: Cell<u64>,
    /// Held by all values, and by all that is thrown.
    values: Rc<()>,
    errors: Arc<()>,
}

/// Who may take the next operation.
enum Runner<'a> {
    Root,
    Greenlet,
    Body(&'a Yielder<Sent, Sent>),
}

impl World {
    fn new(program: Vec<Op>) -> Rc<Self> {
        Rc::new(Self {
            program: RefCell::new(program.into_iter()),
            generators: RefCell::default(),
            greenlets: RefCell::default(),
            last: Cell::new(0),
            values: Rc::new(()),
            errors: Arc::new(()),
        })
    }

    fn value(&self) -> Sent {
        self.last.set(self.last.get() + 1);
        Sent { numbers: [self.last.get(); 4], _counted: self.values.clone() }
    }

    fn error(&self) -> Thrown {
        Thrown { _counted: self.errors.clone() }
    }

    fn take(&self, which: usize) -> Option<Made> {
        let mut generators = self.generators.borrow_mut();
        let count = generators.len();
        (count > 0).then(|| generators.swap_remove(which % count))
    }

    fn greenlet(&self, which: usize) -> Option<Greenlet<u64>> {
        let greenlets = self.greenlets.borrow();
        (!greenlets.is_empty()).then(|| greenlets[which % greenlets.len()].clone())
    }

    /// Executes operations until one ends the body.
    fn run(self: &Rc<Self>, runner: &Runner<'_>) {
        while let Some(op) = self.next() {
            if !self.execute(op, runner) {
                return;
            }
        }
    }

    fn next(&self) -> Option<Op> {
        self.program.borrow_mut().next()
    }

    /// False if the body is to end.
    fn execute(self: &Rc<Self>, op: Op, runner: &Runner<'_>) -> bool {
        match (op, runner) {
            (Op::Create, _) => self.create(),
            (Op::Resume(which, mode), _) => self.with(which, |generator| self.resume(generator, mode)),
            (Op::Throw(which), _) => self.with(which, |generator| {
                if !generator.is_over() {
                    self.arrived(generator.throw(self.error()), Mode::Catch);
                }
            }),
            (Op::Close(which), _) => self.with(which, |generator| _ = generator.close()),
            (Op::Drop(which), _) => drop(self.take(which)),
            (Op::Yield(Mode::Pass), Runner::Body(yielder)) => yielder.yield_(self.value()).check(),
            (Op::Yield(Mode::Catch), Runner::Body(yielder)) => match yielder.try_yield(self.value()) {
                Ok(value) => value.check(),
                Err(raised) => pass_on(raised, Mode::Catch),
            },
            (Op::Return, Runner::Greenlet | Runner::Body(_)) => return false,
            (Op::Panic, Runner::Greenlet | Runner::Body(_)) => resume_unwind(Box::new(self.error())),
            (Op::CreateGreenlet, _) => self.create_greenlet(),
            (Op::Switch(which), _) => {
                if let Some(greenlet) = self.greenlet(which) {
                    came_back(greenlet.try_switch(1));
                }
            }
            (Op::SwitchToRoot, _) => came_back(Greenlet::<u64>::root().try_switch(2)),
            (Op::ThrowAt(which), _) => {
                if let Some(greenlet) = self.greenlet(which) {
                    came_back(greenlet.try_throw(self.error()));
                }
            }
            (Op::DropGreenlet(which), _) => {
                let greenlet = self.greenlet(which);
                if let Some(greenlet) = &greenlet {
                    self.greenlets.borrow_mut().retain(|other| other != greenlet);
                }
            }
            (Op::Yield(_) | Op::Return | Op::Panic, _) => {}
        }
        true
    }

    fn create(self: &Rc<Self>) {
        let (world, held) = (self.clone(), self.value());
        let made = Generator::new(move |yielder: &Yielder<Sent, Sent>, first: Sent| {
            let last = OneMore(world.clone());
            first.check();
            world.run(&Runner::Body(yielder));
            // Not after the result is in its place: the compiler forgets that if something unwinds there.
            drop(last);
            held
        });
        self.generators.borrow_mut().push(made);
    }

    fn create_greenlet(self: &Rc<Self>) {
        let (world, held) = (self.clone(), self.value());
        let made = Greenlet::new(move |number: u64| {
            let last = OneMore(world.clone());
            world.run(&Runner::Greenlet);
            drop(last);
            held.check();
            number
        });
        self.greenlets.borrow_mut().push(made);
    }

    /// Does something with a generator that nobody has in hand. It goes back, and is dropped where that unwinds.
    fn with(&self, which: usize, act: impl FnOnce(&mut Made)) {
        if let Some(mut generator) = self.take(which) {
            act(&mut generator);
            self.generators.borrow_mut().push(generator);
        }
    }

    fn resume(&self, generator: &mut Made, mode: Mode) {
        match mode {
            _ if generator.is_over() => {}
            Mode::Pass => self.arrived(Ok(generator.resume(self.value())), mode),
            Mode::Catch => self.arrived(generator.try_resume(self.value()), mode),
        }
    }

    fn arrived(&self, step: Result<Step<Sent, Sent>, Raised>, mode: Mode) {
        match step {
            Ok(Step::Yielded(value) | Step::Returned(value)) => value.check(),
            Err(raised) => pass_on(raised, mode),
        }
    }
}

/// What is thrown, and panicked with. Those that are there are counted.
struct Thrown {
    _counted: Arc<()>,
}

/// Executes one more operation on the way out of a body, which may be while a panic is on its way.
struct OneMore(Rc<World>);

impl Drop for OneMore {
    fn drop(&mut self) {
        let Some(op) = self.0.next() else { return };
        let done = catch_unwind(AssertUnwindSafe(|| self.0.execute(op, &Runner::Root)));
        if let Err(payload) = done
            && (payload.is::<GreenletExit>() || payload.is::<GeneratorExit>())
            && !panicking()
        {
            resume_unwind(payload);
        }
    }
}

fn came_back(result: Result<u64, Raised>) {
    if let Err(raised) = result {
        pass_on(raised, Mode::Catch);
    }
}

/// Who is told to end does so. Where a panic is on its way nothing else can be raised.
fn pass_on(raised: Raised, mode: Mode) {
    let ends = raised.is_exit() || raised.is_generator_exit();
    if (ends || matches!(mode, Mode::Pass)) && !panicking() {
        raised.resume()
    }
}

/// Runs a program to its end and drops what is left. What there is still then: values, errors and bodies.
fn left_over(program: Vec<Op>) -> [usize; 3] {
    let world = World::new(program);
    while let Some(op) = world.next() {
        let _ = catch_unwind(AssertUnwindSafe(|| world.execute(op, &Runner::Root)));
    }
    // What unwinds puts back what it has in hand.
    while !(world.generators.borrow().is_empty() && world.greenlets.borrow().is_empty()) {
        let all = (world.generators.take(), world.greenlets.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(all)));
    }
    unwind_all();
    world.generators.take();
    let counts =
        [Rc::strong_count(&world.values), Arc::strong_count(&world.errors), Rc::strong_count(&world)];
    counts.map(|count| count - 1)
}

#[test]
fn whatever_generators_and_greenlets_do_to_each_other_nothing_is_lost_or_left() {
    let runs = |program: Vec<Op>| {
        prop_assert_eq!(left_over(program), [0; 3]);
        Ok(())
    };
    if let Err(error) = TestRunner::new(config(300, 3000)).run(&vec(op(), 0..200), runs) {
        panic!("{error}");
    }
}
