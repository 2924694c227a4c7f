//! Generators: functions that are resumed, and yield.
//!
//! A generator is no greenlet. Its body has a stack of its own, and runs *as whoever resumes it*, like any function that
//! is called: it is that greenlet which waits, which is killed, whose timeouts and data are there. So nobody has to be
//! told who runs, and a resume is little more than the switch of stacks itself.

mod block;
mod slow;
mod yielder;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::thread::panicking;

pub use yielder::Yielder;

use self::block::{Block, Returning, State};
use super::error::KillError;
use super::parcel;
use super::raised::Raised;
use super::switching::Landing;
use super::words::fast_current;
use crate::arch::{NOT_ENTERED, StackPointer, nowhere_to_enter};
use crate::stack::{SizeClass, StackError};

/// A function that is resumed with values of type `R`, yields values of type `Y` and returns a `T`.
///
/// It may yield from any depth of calls, and be resumed from any greenlet of its thread: each yield
/// goes to whoever has resumed it. Dropping it unwinds its body. Semantics: Python's
/// generators (`send`, `next`, `throw`, `close`), but that they may yield from within the functions they call.
///
/// As with those, the body runs as the greenlet that resumes it, and for all it does it is as if that had called it:
/// [`Greenlet::current`](crate::Greenlet::current), [`local!`](crate::local) data, the context, timeouts and kills are
/// that greenlet's. If the body waits for something, its resumer does.
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
    /// Where its body is suspended, if all there is to a resume is to enter it there. Else this is
    /// [`nowhere_to_enter`], and the block knows.
    plain: StackPointer,
    /// Owned. Makes this neither Send nor Sync.
    returning: NonNull<Returning<T>>,
    values: PhantomData<fn(R) -> Y>,
}

/// What a generator came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<Y, T> {
    /// It yielded, and can be resumed.
    Yielded(Y),
    /// It returned, and is over.
    Returned(T),
}

impl<R: 'static, Y: 'static, T: 'static> Generator<R, Y, T> {
    /// Makes a generator that runs `body` with the first value it is resumed with. Nothing runs
    /// before that, and no stack is made.
    pub fn new(body: impl FnOnce(&Yielder<R, Y>, R) -> T + 'static) -> Self {
        Self::of_class(SizeClass::DEFAULT, body)
    }

    /// As [`new`](Self::new), with a stack of so many bytes, which are rounded as by
    /// [`Builder::stack_size`](crate::Builder::stack_size).
    ///
    /// # Errors
    ///
    /// If it is more than 16 GiB.
    ///
    /// ```
    /// use greenlet::Generator;
    ///
    /// let mut one = Generator::with_stack_size(32 * 1024, |yielder, ()| yielder.yield_(1)).unwrap();
    /// assert_eq!(one.next(), Some(1));
    /// ```
    pub fn with_stack_size(
        bytes: usize,
        body: impl FnOnce(&Yielder<R, Y>, R) -> T + 'static,
    ) -> Result<Self, StackError> {
        Ok(Self::of_class(SizeClass::for_bytes(bytes)?, body))
    }

    fn of_class(class: SizeClass, body: impl FnOnce(&Yielder<R, Y>, R) -> T + 'static) -> Self {
        let returning = block::new(class, body);
        Self { plain: nowhere_to_enter(), returning, values: PhantomData }
    }

    /// Resumes it with a value, until it yields or returns (Python: `send`).
    ///
    /// # Panics
    ///
    /// With the panic of the body. Panics if it is over, or if the switch is refused, see
    /// [`SwitchError`](crate::SwitchError).
    ///
    /// In a destructor that runs because of a panic, the body runs as any function that is called there. It can
    /// return, but what it yields is refused: its [`yield_`](Yielder::yield_) panics. There use
    /// [`try_resume`](Self::try_resume), which leaves it as it is.
    #[inline(always)]
    #[track_caller]
    pub fn resume(&mut self, value: R) -> Step<Y, T> {
        match self.transfer(value) {
            Landing::Value(value) => Step::Yielded(value),
            // SAFETY: it has just landed.
            Landing::Rare(message) => Step::Returned(unsafe { self.returning().left_or_raised(message) }),
            Landing::NotPlain(value) => {
                let (step, plain) = slow::resume_or_raise(self.returning, self.take_plain(), value);
                self.plain = plain;
                step
            }
        }
    }

    /// As [`resume`](Self::resume), but returns what is raised.
    ///
    /// # Errors
    ///
    /// With the panic of the body, or with the reason of a refusal. In a destructor that runs because of a panic it is
    /// refused, and the body does not run.
    ///
    /// # Panics
    ///
    /// If it is over.
    #[inline(always)]
    #[track_caller]
    pub fn try_resume(&mut self, value: R) -> Result<Step<Y, T>, Raised> {
        if panicking() {
            return slow::refuse(self.returning(), value);
        }
        match self.transfer(value) {
            Landing::Value(value) => Ok(Step::Yielded(value)),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { self.returning().left(message) }.map(Step::Returned),
            Landing::NotPlain(value) => {
                let (step, plain) = slow::resume(self.returning, self.take_plain(), value);
                self.plain = plain;
                step
            }
        }
    }

    /// Resumes it, if that takes no more than a switch.
    #[inline(always)]
    fn transfer(&mut self, value: R) -> Landing<R, Y> {
        // On the fast path everybody has the thread's own thread-local storage.
        if cfg!(own_tls) && fast_current().is_null() {
            return Landing::NotPlain(value);
        }
        let slot = MaybeUninit::new(value);
        // SAFETY: it is suspended there, and waits for an R; or there is nowhere to enter.
        let (landed, left_at) = unsafe { self.block().entered.enter(self.plain, parcel::pack(&slot)) };
        self.plain = left_at;
        let message = match landed.plain() {
            // SAFETY: it has just landed, and the body sends a Y.
            Ok(word) => return Landing::Value(unsafe { parcel::unpack(word) }),
            Err(message) => message,
        };
        self.plain = nowhere_to_enter();
        if message.kind == NOT_ENTERED {
            // SAFETY: it is the word that was sent, and nobody has used it.
            Landing::NotPlain(unsafe { parcel::unpack(message.word) })
        } else {
            Landing::Rare(message)
        }
    }

    /// What is slow may unwind, and then it is the block that knows.
    #[inline(always)]
    fn take_plain(&mut self) -> StackPointer {
        mem::replace(&mut self.plain, nowhere_to_enter())
    }

    fn slowly<X>(&mut self, call: impl FnOnce(NonNull<Returning<T>>) -> X) -> X {
        let (result, plain) = slow::with_place(self.returning, self.take_plain(), call);
        self.plain = plain;
        result
    }

    /// Raises `error` in it, from its pending yield, and goes on until it yields or returns. One that
    /// has not started ends without running.
    ///
    /// # Errors
    ///
    /// The error itself, if the body does not catch it, or another one that it panics with. The reason of a
    /// refusal.
    ///
    /// # Panics
    ///
    /// If it is over.
    #[track_caller]
    pub fn throw(&mut self, error: impl Any + Send) -> Result<Step<Y, T>, Raised> {
        self.block().refuse_if_over();
        let error = Raised::from_payload(Box::new(error));
        self.slowly(|this| slow::throw(this, error))
    }

    /// Unwinds it with [`GeneratorExit`](crate::GeneratorExit) (Python: `close`). One that is over stays so.
    ///
    /// # Errors
    ///
    /// If it refuses to end, or panics as it is unwound; or if this build cannot unwind.
    ///
    /// # Panics
    ///
    /// Unwinds if the caller is killed while the body waits for something on its way out.
    pub fn close(&mut self) -> Result<(), KillError> {
        self.slowly(slow::close::<Y, T>)
    }

    /// Whether it has returned, panicked or been closed.
    pub fn is_over(&self) -> bool {
        self.block().state() == State::Over
    }

    fn returning(&self) -> &Returning<T> {
        // SAFETY: it is freed when this is dropped, and not before.
        unsafe { self.returning.as_ref() }
    }

    #[inline(always)]
    fn block(&self) -> &Block {
        &self.returning().block
    }
}

impl<R: 'static, Y: 'static, T: 'static> Drop for Generator<R, Y, T> {
    /// Unwinds the body. What that panics with goes on here, as a panic of any destructor would, unless there is a panic
    /// on its way: then it is [reported](crate::set_report_hook). So is a body that refuses to end, and leaked.
    fn drop(&mut self) {
        slow::end::<Y, T>(self.returning, self.plain);
    }
}

impl<Y: 'static> Iterator for Generator<(), Y, ()> {
    type Item = Y;

    fn next(&mut self) -> Option<Y> {
        if self.plain == nowhere_to_enter() && self.is_over() {
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
        f.debug_struct("Generator").field("state", &self.block().state()).finish_non_exhaustive()
    }
}
