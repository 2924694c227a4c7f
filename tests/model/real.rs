//! The same programs on the crate.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use greenlet::{
    Greenlet, GreenletExit, KillError, ParentError, Raised, Report, ReportKind, SwitchError, WeakGreenlet,
};

use crate::program::{MOST, Mode, Op, Target};
use crate::trace::{Complaint, Entry, Error, Event, Look, NoParent, NotKilled, Refusal, State};
use crate::value::{Large, Value};

/// Room for the panic machinery in a debug build.
const STACK_SIZE: usize = 128 * 1024;

/// Threads of this name panic silently. So do those without a name, which is what greenlets are that have
/// thread-local storage of their own.
const QUIET: &str = "a program";

/// One program runs at a time.
static RUNNING: Mutex<()> = Mutex::new(());

/// What it does. Not in a thread-local, of which a greenlet may have one of its own.
static TRACE: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// A lock, whatever has become of those who had it before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program on the crate, on a thread of its own, with values of type T; returns what is
/// observed, or with what that thread panicked.
pub fn run<T: Value>(program: &[Op]) -> Result<Vec<Entry>, String> {
    listen();
    let _running = lock(&RUNNING);
    let program = program.iter().copied().collect();
    let thread = thread::Builder::new().name(QUIET.into()).spawn(move || run_here::<T>(program)).unwrap();
    thread.join().map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref().map_or("something", |text: &&str| text).into(),
    })
}

fn run_here<T: Value>(program: VecDeque<Op>) -> Vec<Entry> {
    lock(&TRACE).clear();
    Large::forget_the_living();
    let root = Greenlet::<T>::root();
    let world = Rc::new(World {
        program: RefCell::new(program),
        last_number: Cell::new(0),
        weak: RefCell::new(vec![root.downgrade()]),
        table: RefCell::new(vec![Some(root)]),
        without_body: RefCell::default(),
    });
    let mut kept = Vec::new();
    world.obey(&mut kept);
    world.empty_table();
    drop(kept);
    world.end_all();
    assert_eq!(Large::alive(), 0, "every value was dropped");
    std::mem::take(&mut *lock(&TRACE))
}

/// Has reports written into the trace, and keeps the panics of programs off the screen.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        greenlet::set_report_hook(note_report);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name().is_some_and(|name| name != QUIET) {
                usual(info);
            }
        }));
    });
}

fn note_report(report: &Report<'_>) {
    let complaint = match report.kind() {
        ReportKind::PanickedWhileDropped => Complaint::PanickedWhileDropped,
        ReportKind::Abandoned => Complaint::Abandoned,
        ReportKind::Undelivered => Complaint::Undelivered,
        kind => panic!("unexpected: {kind:?}"),
    };
    let number = report.greenlet().rsplit(' ').next().and_then(|number| number.parse().ok());
    log(Event::Report(complaint, number.expect("a greenlet without a name")));
}

fn log(event: Event) {
    let running = number(&Greenlet::<()>::current());
    lock(&TRACE).push(Entry { running, event });
}

/// On a fresh thread, ids are numbers in the order of making.
fn number<T>(greenlet: &Greenlet<T>) -> usize {
    greenlet.id().try_into().unwrap()
}

/// What the greenlets of a program share.
struct World<T: Value> {
    program: RefCell<VecDeque<Op>>,
    last_number: Cell<u64>,
    table: RefCell<Vec<Option<Greenlet<T>>>>,
    weak: RefCell<Vec<WeakGreenlet<T>>>,
    /// The numbers of those that have not been given a body.
    without_body: RefCell<HashSet<usize>>,
}

/// The error that programs throw.
struct Fault(u64);

/// Tells when a body is dropped.
struct Guard(usize);

impl Drop for Guard {
    fn drop(&mut self) {
        log(Event::Guard(self.0));
    }
}

/// What is on the stack of a body, in the order in which it is dropped.
struct Frame<T: 'static> {
    kept: Vec<Greenlet<T>>,
    _guard: Guard,
}

impl<T: Value> World<T> {
    fn make(self: &Rc<Self>, parent: Option<&Greenlet<T>>) -> Greenlet<T> {
        // Of two sizes, so that blocks and stacks change partners.
        let is_larger = self.weak.borrow().len().is_multiple_of(5);
        let mut builder = Greenlet::builder().stack_size(STACK_SIZE << u32::from(is_larger));
        #[cfg(own_tls)]
        if !self.weak.borrow().len().is_multiple_of(3) {
            builder = builder.own_tls();
        }
        if let Some(parent) = parent {
            builder = builder.parent(parent);
        }
        let greenlet = builder.build_without_body();
        self.weak.borrow_mut().push(greenlet.downgrade());
        self.table.borrow_mut().push(Some(greenlet.clone()));
        greenlet
    }

    fn set_body(self: &Rc<Self>, greenlet: &Greenlet<T>) {
        let (world, guard) = (self.clone(), Guard(number(greenlet)));
        greenlet.set_body(move |first| {
            let mut frame = Frame { kept: Vec::new(), _guard: guard };
            log(Event::Started(first.number()));
            world.obey(&mut frame.kept)
        });
    }

    /// The body of a greenlet: executes operations until one ends it or none are left.
    fn obey(self: &Rc<Self>, kept: &mut Vec<Greenlet<T>>) -> T {
        loop {
            let is_root = Greenlet::<T>::current().is_root();
            let mode = |mode: Mode| if is_root { Mode::Catch } else { mode };
            let Some(op) = self.next_op() else {
                return T::of(if is_root { 0 } else { self.next_number() });
            };
            match op {
                Op::Create(parent) => {
                    let parent = parent.map(|parent| self.find(parent));
                    if self.table.borrow().len() < MOST && !matches!(parent, Some(None)) {
                        self.set_body(&self.make(parent.flatten().as_ref()));
                    }
                }
                Op::CreateWithoutBody => {
                    if self.table.borrow().len() < MOST {
                        self.without_body.borrow_mut().insert(number(&self.make(None)));
                    }
                }
                Op::SetBody(target) => {
                    if let Some(target) = self.find(target)
                        && target.state() == greenlet::State::Unstarted
                        && self.without_body.borrow_mut().remove(&number(&target))
                    {
                        self.set_body(&target);
                    }
                }
                Op::Switch(to, how) => {
                    if let Some(to) = self.find(to) {
                        let value = T::of(self.next_number());
                        let got = match mode(how) {
                            Mode::Pass => Ok(to.switch(value)),
                            Mode::Catch => to.try_switch(value),
                        };
                        log(Event::Got(got.map(T::number).map_err(error::<T>)));
                    }
                }
                Op::SwitchOther(to, how) => {
                    if let Some(to) = self.find(to) {
                        let value = Some(T::of(self.next_number()));
                        let got = match mode(how) {
                            Mode::Pass => Ok(to.cast::<Option<T>>().switch(value)),
                            Mode::Catch => to.cast::<Option<T>>().try_switch(value),
                        };
                        log(Event::Got(got.map(|value| value.unwrap().number()).map_err(error::<T>)));
                    }
                }
                Op::Throw(to, how) => {
                    if let Some(to) = self.find(to) {
                        let fault = Fault(self.next_number());
                        throw(&to, fault, mode(how));
                    }
                }
                Op::ThrowExit(to, how) => {
                    if let Some(to) = self.find(to) {
                        throw(&to, GreenletExit, mode(how));
                    }
                }
                Op::Kill(victim, how) => {
                    if let Some(victim) = self.find(victim) {
                        kill(&victim, mode(how));
                    }
                }
                Op::Drop(target) => {
                    let handle = self.take(target);
                    drop(handle);
                }
                Op::Keep(target) => kept.extend(self.take(target)),
                Op::HandleOfMe => self.put(Greenlet::current()),
                Op::HandleOfParent => {
                    if let Some(parent) = Greenlet::<T>::current().parent() {
                        self.put(parent);
                    }
                }
                Op::Upgrade(number) => {
                    let found = {
                        let weak = self.weak.borrow();
                        weak[number % weak.len()].upgrade()
                    };
                    if let Some(found) = found {
                        self.put(found);
                    }
                }
                Op::SetParent(child, parent) => {
                    if let (Some(child), Some(parent)) = (self.find(child), self.find(parent)) {
                        let result = child.set_parent(&parent).map_err(|error| match error {
                            ParentError::Root => NoParent::Root,
                            ParentError::Cycle => NoParent::Cycle,
                            _ => panic!("unexpected: {error}"),
                        });
                        log(Event::SetParent(result));
                        drop(child);
                        drop(parent);
                    }
                }
                Op::Finish if !is_root => return T::of(self.next_number()),
                Op::Panic if !is_root => resume_unwind(Box::new(Fault(self.next_number()))),
                Op::Finish | Op::Panic => {}
            }
            self.look();
        }
    }

    fn next_op(&self) -> Option<Op> {
        self.program.borrow_mut().pop_front()
    }

    fn next_number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    fn find_number(&self, target: Target) -> Option<usize> {
        let me = Greenlet::<T>::current();
        let parent = me.parent::<T>().map(|parent| number(&parent));
        let table: Vec<bool> = self.table.borrow().iter().map(Option::is_some).collect();
        target.find(number(&me), parent, &table)
    }

    fn find(&self, target: Target) -> Option<Greenlet<T>> {
        let number = self.find_number(target)?;
        self.table.borrow()[number].clone()
    }

    fn take(&self, target: Target) -> Option<Greenlet<T>> {
        let number = self.find_number(target)?;
        self.table.borrow_mut()[number].take()
    }

    fn put(&self, greenlet: Greenlet<T>) {
        let place = number(&greenlet);
        let old = self.table.borrow_mut()[place].replace(greenlet);
        drop(old);
    }

    fn look(&self) {
        let look = |greenlet: &Greenlet<T>| Look {
            number: number(greenlet),
            state: match greenlet.state() {
                greenlet::State::Unstarted => State::Unstarted,
                greenlet::State::Suspended => State::Suspended,
                greenlet::State::Running => State::Running,
                greenlet::State::Dead => State::Dead,
            },
            parent: greenlet.parent::<T>().map(|parent| number(&parent)),
        };
        let looks = self.table.borrow().iter().flatten().map(look).collect();
        log(Event::Sees(looks));
    }

    fn empty_table(&self) {
        let mut place = 0;
        while place < self.table.borrow().len() {
            let handle = self.table.borrow_mut()[place].take();
            drop(handle);
            place += 1;
        }
    }

    fn end_all(&self) {
        let mut place = 1;
        while place < self.weak.borrow().len() {
            let left = self.weak.borrow()[place].upgrade();
            if let Some(left) = left {
                kill(&left, Mode::Catch);
            }
            place += 1;
        }
    }
}

fn throw<T: Value>(to: &Greenlet<T>, thrown: impl Any + Send, mode: Mode) {
    let got = match mode {
        Mode::Pass => Ok(to.throw(thrown)),
        Mode::Catch => to.try_throw(thrown),
    };
    log(Event::Got(got.map(T::number).map_err(error::<T>)));
}

fn kill<T: Value>(victim: &Greenlet<T>, mode: Mode) {
    let result = match mode {
        Mode::Pass => Ok(victim.kill()),
        Mode::Catch => catch_unwind(AssertUnwindSafe(|| victim.kill())),
    };
    log(match result {
        Ok(result) => Event::Killed(result.map_err(|error| match error {
            KillError::Refused => NotKilled::Refused,
            KillError::Panicked(raised) => NotKilled::Panicked(self::error::<T>(raised)),
            error => panic!("unexpected: {error}"),
        })),
        Err(payload) => Event::RaisedInKiller(error_in(payload)),
    });
}

fn error<T: Value>(mut raised: Raised) -> Error {
    let value = raised.take_value::<T>().or_else(|| raised.take_value::<Option<T>>()?).map(T::number);
    match raised.refusal() {
        Some(SwitchError::Unwinding) => Error::Refused(Refusal::Unwinding, value),
        Some(SwitchError::Abandoned) => Error::Refused(Refusal::Abandoned, value),
        Some(SwitchError::NoBody) => Error::Refused(Refusal::NoBody, value),
        Some(SwitchError::WrongType { .. }) => Error::Refused(Refusal::WrongType, value),
        Some(error) => panic!("unexpected: {error}"),
        None => error_in(raised.into_payload()),
    }
}

fn error_in(payload: Box<dyn Any + Send>) -> Error {
    if let Some(Fault(number)) = payload.downcast_ref() {
        return Error::Fault(*number);
    }
    if payload.is::<GreenletExit>() {
        return Error::Exit;
    }
    let text = match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("?", String::as_str),
    };
    for (error, refusal) in [
        (SwitchError::Unwinding, Refusal::Unwinding),
        (SwitchError::Abandoned, Refusal::Abandoned),
        (SwitchError::NoBody, Refusal::NoBody),
    ] {
        if text == error.to_string() {
            return Error::Panic(refusal);
        }
    }
    // The type is named in between.
    if text.starts_with("the greenlet does not take a value of type") {
        return Error::Panic(Refusal::WrongType);
    }
    panic!("unexpected: {text}")
}
