//! Generators: greenlets that always answer who resumes them.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use super::error::KillError;
use super::raised::Raised;
use super::{Builder, Greenlet};

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
    greenlet: Greenlet<Message<R, Y>>,
    result: Rc<Cell<Option<T>>>,
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
    value: PhantomData<fn(Y) -> R>,
    /// Belongs to the generator's own stack.
    not_send: PhantomData<*mut ()>,
}

/// What travels between a generator and its resumers.
enum Message<R, Y> {
    Resume(R),
    Yield(Y),
    Returned,
}

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
        let greenlet = options.for_values_of().build({
            let result = result.clone();
            move |first| {
                let yielder = Yielder { value: PhantomData, not_send: PhantomData };
                let Message::Resume(first) = first else { unreachable!("a generator is started by resume") };
                result.set(Some(body(&yielder, first)));
                Message::Returned
            }
        });
        Self { greenlet, result }
    }

    /// Resumes it with a value, until it yields or returns (Python: `send`).
    ///
    /// # Panics
    ///
    /// With the panic of the body. Panics if it is over, if it is running already (it tries to
    /// resume itself), or if the switch is refused, see [`SwitchError`](crate::SwitchError).
    #[track_caller]
    pub fn resume(&mut self, value: R) -> Step<Y, T> {
        self.try_resume(value).unwrap_or_else(|raised| raised.resume())
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
    #[track_caller]
    pub fn try_resume(&mut self, value: R) -> Result<Step<Y, T>, Raised> {
        self.answer_here();
        self.greenlet.try_switch(Message::Resume(value)).map(|message| self.step(message))
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
        self.answer_here();
        self.greenlet.try_throw(error).map(|message| self.step(message))
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
    #[track_caller]
    fn answer_here(&self) {
        assert!(!self.is_over(), "the generator is over");
        let me = Greenlet::<()>::current();
        if self.greenlet.parent_is(&me) {
            return;
        }
        // It can only be an ancestor of its resumer if it is waiting for it, that is, running.
        let linked = self.greenlet.set_parent(&me);
        assert!(linked.is_ok(), "the generator is running already");
    }

    fn step(&self, message: Message<R, Y>) -> Step<Y, T> {
        match message {
            Message::Yield(value) => Step::Yielded(value),
            Message::Returned => {
                Step::Returned(self.result.take().expect("a generator leaves its result when it returns"))
            }
            Message::Resume(_) => unreachable!("a resumer is answered by the generator"),
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
    #[track_caller]
    pub fn yield_(&self, value: Y) -> R {
        self.try_yield(value).unwrap_or_else(|raised| raised.resume())
    }

    /// As [`yield_`](Self::yield_), but returns what is raised.
    ///
    /// # Errors
    ///
    /// What is thrown into the generator, or that it is closed. It is to return then.
    pub fn try_yield(&self, value: Y) -> Result<R, Raised> {
        let message = Greenlet::<Message<R, Y>>::switch_to_parent(Message::Yield(value))?;
        match message {
            Message::Resume(value) => Ok(value),
            _ => unreachable!("a generator is continued by resume"),
        }
    }
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

impl<R: 'static, Y: 'static> fmt::Debug for Yielder<R, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}
