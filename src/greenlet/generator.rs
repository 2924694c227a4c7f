//! Generators: greenlets that always answer who resumes them.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::thread::panicking;

use super::core::Core;
use super::error::KillError;
use super::raised::Raised;
use super::switching::{self, Landing};
use super::tag::Tag;
use super::thread;
use super::words::fast_current;
use super::{Builder, Greenlet};
use crate::arch::Message;

/// A function that is resumed with values of type `R`, yields values of type `Y` and returns a `T`.
///
/// It may yield from any depth of calls, and be resumed from any greenlet of its thread: each yield
/// goes to whoever resumed it last. Dropping it unwinds what is suspended. Semantics: Python's
/// generators (`send`, `next`, `throw`, `close`), as its greenlet makes them.
///
/// ```
/// use greenlet::{Generator, Step};
///
/// let mut averages = Generator::new(|yielder, first: f64| {
///     let (mut sum, mut count) = (first, 1.0);
///     while count < 3.0 {
///         sum += yielder.yield_(sum / count);
///         count += 1.0;
///     }
///     "done"
/// });
/// assert_eq!(averages.resume(4.0), Step::Yielded(4.0));
/// assert_eq!(averages.resume(6.0), Step::Yielded(5.0));
/// assert_eq!(averages.resume(0.0), Step::Returned("done"));
/// ```
///
/// A generator that takes nothing is an iterator:
///
/// ```
/// use greenlet::Generator;
///
/// let squares = Generator::new(|yielder, ()| (1..).for_each(|n: u32| yielder.yield_(n * n)));
/// assert_eq!(squares.take(4).collect::<Vec<_>>(), [1, 4, 9, 16]);
/// ```
pub struct Generator<R: 'static, Y: 'static, T: 'static> {
    greenlet: Greenlet<Resume<R>>,
    result: Rc<Cell<Option<T>>>,
    yields: Exactly<Y>,
}

/// What a generator came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<Y, T> {
    /// It yielded, and can be resumed.
    Yielded(Y),
    /// It returned, and is over.
    Returned(T),
}

/// The way of a generator's body to its resumers. It cannot leave the body, so a yield outside of a
/// generator does not compile:
///
/// ```compile_fail,E0521
/// use greenlet::{Generator, Greenlet};
///
/// Generator::new(|yielder: &greenlet::Yielder<(), u32>, ()| {
///     let escaped = Greenlet::<()>::new(move |()| yielder.yield_(1));
/// });
/// ```
pub struct Yielder<R: 'static, Y: 'static> {
    /// The generator, on whose stack this is.
    me: NonNull<Core>,
    values: Exactly<(R, Y)>,
}

/// Of just this type, not of one that differs from it by a lifetime: a tag knows no other.
type Exactly<X> = PhantomData<fn(X) -> X>;

/// What a generator waits for.
struct Resume<R>(R);

/// What those who resume it wait for. Besides, it may be raised there that the generator has ended.
struct Yield<Y>(Y);

impl<R: 'static, Y: 'static, T: 'static> Generator<R, Y, T> {
    /// Makes a generator that runs `body` with the first value it is resumed with. Nothing runs
    /// before that.
    pub fn new(body: impl FnOnce(&Yielder<R, Y>, R) -> T + 'static) -> Self {
        Self::with_options(Greenlet::builder(), body)
    }

    /// As [`new`](Self::new), with a name or a stack size of its own. A parent that was set does not
    /// matter: each resumer is the parent for that time.
    ///
    /// ```
    /// use greenlet::{Generator, Greenlet};
    ///
    /// let options = Greenlet::builder().name("small").stack_size(32 * 1024);
    /// let mut one = Generator::with_options(options, |yielder, ()| yielder.yield_(1));
    /// assert_eq!(one.next(), Some(1));
    /// ```
    pub fn with_options(options: Builder, body: impl FnOnce(&Yielder<R, Y>, R) -> T + 'static) -> Self {
        let result = Rc::new(Cell::new(None));
        let greenlet = options.for_values_of().build_exiting({
            let result = result.clone();
            move |Resume(first)| {
                let yielder = Yielder { me: thread::current(), values: PhantomData };
                result.set(Some(body(&yielder, first)));
            }
        });
        Self { greenlet, result, yields: PhantomData }
    }

    /// Resumes it with a value, until it yields or returns (Python: `send`).
    ///
    /// # Panics
    ///
    /// With the panic of the body. Panics if it is over, if it is running already (it tries to
    /// resume itself), or if the switch is refused, see [`SwitchError`](crate::SwitchError).
    #[inline(always)]
    #[track_caller]
    pub fn resume(&mut self, value: R) -> Step<Y, T> {
        match self.transfer(value) {
            Landing::Value(Yield(value)) => Step::Yielded(value),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { self.open_or_raise(message) },
            Landing::NotPlain(value) => self.resume_slowly_or_raise(value),
        }
    }

    /// As [`resume`](Self::resume), but returns what is raised.
    ///
    /// # Errors
    ///
    /// With the panic of the body, or with the reason of a refusal.
    ///
    /// # Panics
    ///
    /// If it is over, or running already.
    #[inline(always)]
    #[track_caller]
    pub fn try_resume(&mut self, value: R) -> Result<Step<Y, T>, Raised> {
        match self.transfer(value) {
            Landing::Value(Yield(value)) => Ok(Step::Yielded(value)),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { self.open(message) },
            Landing::NotPlain(value) => self.resume_slowly(value),
        }
    }

    /// Resumes it if it waits for the caller, and that takes no more than a switch.
    #[inline(always)]
    fn transfer(&mut self, value: R) -> Landing<Resume<R>, Yield<Y>> {
        let (me, generator) = (fast_current(), self.greenlet.core());
        if panicking() || !generator.waits_for.get().is(Tag::resumer(me)) {
            return Landing::NotPlain(Resume(value));
        }
        // SAFETY: what is current is alive. The generator waits in its yield, which is for a value of this type:
        // only there it gets that tag, any other wait replaces it, and it does not run itself, as nobody is his own
        // parent.
        unsafe { switching::hand_over(&*me, generator, Tag::of::<Yield<Y>>(), Resume(value)) }
    }

    /// # Safety
    ///
    /// The message landed in [`transfer`](Self::transfer), and is used once.
    #[cold]
    #[inline(never)]
    unsafe fn open(&self, landed: Message) -> Result<Step<Y, T>, Raised> {
        // SAFETY: the caller's word.
        self.step(unsafe { switching::open(landed) })
    }

    /// # Safety
    ///
    /// As for [`open`](Self::open).
    #[cold]
    #[inline(never)]
    #[track_caller]
    unsafe fn open_or_raise(&self, landed: Message) -> Step<Y, T> {
        // SAFETY: the caller's word.
        Raised::or_raise(unsafe { self.open(landed) })
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn resume_slowly_or_raise(&self, value: Resume<R>) -> Step<Y, T> {
        Raised::or_raise(self.resume_slowly(value))
    }

    #[cold]
    #[track_caller]
    fn resume_slowly(&self, value: Resume<R>) -> Result<Step<Y, T>, Raised> {
        // SAFETY: that is what it is.
        let resumer = unsafe { resumer_of(self.greenlet.core()) };
        if !ptr::eq(resumer, fast_current()) {
            return self.deliver(Ok(value));
        }
        // The first time, as a rule.
        // SAFETY: handles do not leave their thread, and this one holds a count. Nobody is his own parent.
        match unsafe { switching::transfer_from(NonNull::from(resumer), self.greenlet.core_ptr(), value) } {
            Landing::Value(value) => self.step(Ok(value)),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { self.open(message) },
            Landing::NotPlain(value) => self.deliver(Ok(value)),
        }
    }

    #[track_caller]
    fn deliver(&self, content: Result<Resume<R>, Raised>) -> Result<Step<Y, T>, Raised> {
        self.answer_here();
        let waits_for = &self.greenlet.core().waits_for;
        if waits_for.get().is_resumer() {
            waits_for.set(Tag::of::<Resume<R>>());
        }
        self.step(switching::deliver(self.greenlet.core_ptr(), content))
    }

    /// Raises `error` in it, from its pending yield, and goes on until it yields or returns. One that
    /// has not started ends without running.
    ///
    /// # Errors
    ///
    /// The error itself, if the body does not catch it, or another one that it panics with.
    ///
    /// # Panics
    ///
    /// If it is over, or running already.
    #[track_caller]
    pub fn throw(&mut self, error: impl Any + Send) -> Result<Step<Y, T>, Raised> {
        self.deliver(Err(Raised::from_payload(Box::new(error))))
    }

    /// Unwinds it (Python: `close`).
    ///
    /// # Errors
    ///
    /// If it refuses to end, or panics as it is unwound.
    pub fn close(&mut self) -> Result<(), KillError> {
        self.greenlet.kill()
    }

    /// Whether it has returned, panicked or been closed.
    pub fn is_over(&self) -> bool {
        self.greenlet.is_dead()
    }

    /// Makes the caller the one that the generator answers.
    #[cold]
    #[track_caller]
    fn answer_here(&self) {
        assert!(!self.is_over(), "the generator is over");
        // It can only be an ancestor of its resumer if it is waiting for it, that is, running.
        let linked = self.greenlet.set_parent(&Greenlet::<()>::current());
        assert!(linked.is_ok(), "the generator is running already");
    }

    fn step(&self, brought: Result<Yield<Y>, Raised>) -> Result<Step<Y, T>, Raised> {
        match brought {
            Ok(Yield(value)) => Ok(Step::Yielded(value)),
            Err(raised) if raised.is_exit() => self.result.take().map(Step::Returned).ok_or(raised),
            Err(raised) => Err(raised),
        }
    }
}

impl<R: 'static, Y: 'static, T: 'static> Drop for Generator<R, Y, T> {
    /// Ends the body, even where a generator inside of it still refers to it as its resumer.
    fn drop(&mut self) {
        self.greenlet.unwind_where_it_waits();
    }
}

impl<R: 'static, Y: 'static> Yielder<R, Y> {
    /// Hands `value` to the resumer, and waits for the next value from one.
    ///
    /// # Panics
    ///
    /// Unwinds when the generator is closed or dropped, and with what is thrown into it. Panics if
    /// it is called from another greenlet than the generator's own.
    #[inline(always)]
    #[track_caller]
    pub fn yield_(&self, value: Y) -> R {
        match self.transfer(value) {
            Landing::Value(Resume(value)) => value,
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { switching::open_or_unwind::<Resume<R>>(message) }.0,
            Landing::NotPlain(value) => self.deliver_or_raise(value),
        }
    }

    /// As [`yield_`](Self::yield_), but returns what is raised.
    ///
    /// # Errors
    ///
    /// What is thrown into the generator, or that it is closed. It is to return then.
    ///
    /// # Panics
    ///
    /// If it is called from another greenlet than the generator's own.
    #[inline(always)]
    #[track_caller]
    pub fn try_yield(&self, value: Y) -> Result<R, Raised> {
        match self.transfer(value) {
            Landing::Value(Resume(value)) => Ok(value),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { Self::open(message) },
            Landing::NotPlain(value) => self.deliver(value),
        }
    }

    /// Yields, if that takes no more than a switch.
    #[inline(always)]
    fn transfer(&self, value: Y) -> Landing<Yield<Y>, Resume<R>> {
        if panicking() || !ptr::eq(self.me.as_ptr(), fast_current()) {
            return Landing::NotPlain(Yield(value));
        }
        // SAFETY: the current greenlet is alive, and it is a generator. The link keeps the resumer.
        let (me, resumer) = unsafe { (self.me.as_ref(), resumer_of(self.me.as_ref())) };
        if !resumer.waits_for.get().is(Tag::of::<Yield<Y>>()) {
            return Landing::NotPlain(Yield(value));
        }
        // SAFETY: it is suspended, as nobody is his own parent. The link keeps it while this waits: one that
        // is replaced meanwhile is not looked at again.
        unsafe { switching::hand_over(me, resumer, Tag::resumer(resumer), Yield(value)) }
    }

    /// # Safety
    ///
    /// The message landed in [`transfer`](Self::transfer), and is used once.
    #[cold]
    #[inline(never)]
    unsafe fn open(landed: Message) -> Result<R, Raised> {
        // SAFETY: the caller's word.
        unsafe { switching::open(landed) }.map(|Resume(value)| value)
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn deliver_or_raise(&self, value: Yield<Y>) -> R {
        Raised::or_raise(self.deliver(value))
    }

    #[cold]
    #[track_caller]
    fn deliver(&self, value: Yield<Y>) -> Result<R, Raised> {
        assert!(thread::current() == self.me, "only the generator's own greenlet can yield");
        // SAFETY: the current greenlet is alive, and it is a generator.
        let resumer = NonNull::from(unsafe { resumer_of(self.me.as_ref()) });
        switching::deliver(resumer, Ok(value)).map(|Resume(value)| value)
    }
}

/// Whom a generator answers.
///
/// # Safety
///
/// It is the control block of a generator.
#[inline(always)]
unsafe fn resumer_of(generator: &Core) -> &Core {
    // SAFETY: only a root has no parent.
    unsafe { generator.parent().unwrap_unchecked() }
}

impl<Y: 'static> Iterator for Generator<(), Y, ()> {
    type Item = Y;

    fn next(&mut self) -> Option<Y> {
        if self.is_over() {
            return None;
        }
        match self.resume(()) {
            Step::Yielded(value) => Some(value),
            Step::Returned(()) => None,
        }
    }
}

impl<Y: 'static> std::iter::FusedIterator for Generator<(), Y, ()> {}

impl<R: 'static, Y: 'static, T: 'static> fmt::Debug for Generator<R, Y, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("greenlet", &self.greenlet).finish_non_exhaustive()
    }
}

// What it refers to is changed by switches only, which leave it right where they unwind: a body may catch what
// its yield raises.
impl<R: 'static, Y: 'static> UnwindSafe for Yielder<R, Y> {}
impl<R: 'static, Y: 'static> RefUnwindSafe for Yielder<R, Y> {}

impl<R: 'static, Y: 'static> fmt::Debug for Yielder<R, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}
