//! The way of a generator's body to its resumers.

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread::panicking;

use crate::arch::{Caller, Entered, stack_pointer};
use crate::greenlet::error::SwitchError;
use crate::greenlet::parcel;
use crate::greenlet::raised::Raised;
use crate::greenlet::switching::{self, Landing};
use crate::stack::Stack;

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
    pub(super) resumer: Caller,
    /// The low end of the body's stack, and its size.
    stack: (usize, usize),
    /// Stays as long as the body stands. Makes this neither Send nor Sync.
    entered: *const Entered,
    values: PhantomData<fn(Y) -> R>,
}

impl<R: 'static, Y: 'static> Yielder<R, Y> {
    pub(super) fn new(entered: &Entered, stack: Stack, resumer: Caller) -> Self {
        Self { resumer, stack: (stack.guard(), stack.size()), entered, values: PhantomData }
    }

    /// Hands `value` to the resumer, and waits for the next value from one.
    ///
    /// # Panics
    ///
    /// Unwinds with [`GeneratorExit`](crate::GeneratorExit) when the generator is closed or dropped, and with what is
    /// thrown into it. Panics in a destructor that runs because of a panic.
    #[inline(always)]
    #[track_caller]
    pub fn yield_(&self, value: Y) -> R {
        match self.transfer(value) {
            Landing::Value(value) => value,
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { switching::open_or_unwind(message) },
            Landing::NotPlain(value) => Self::refused(value).resume(),
        }
    }

    /// As [`yield_`](Self::yield_), but returns what is raised.
    ///
    /// # Errors
    ///
    /// What is thrown into the generator, or [that it is closed](Raised::is_generator_exit). It is to return then. In
    /// a destructor that runs because of a panic, the refusal.
    #[inline(always)]
    pub fn try_yield(&self, value: Y) -> Result<R, Raised> {
        match self.transfer(value) {
            Landing::Value(value) => Ok(value),
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { switching::open(message) },
            Landing::NotPlain(value) => Err(Self::refused(value)),
        }
    }

    /// Yields, unless a panic is on its way.
    #[inline(always)]
    fn transfer(&self, value: Y) -> Landing<Y, R> {
        debug_assert!(
            self.is_on_its_stack(),
            "a generator yields on the stack of its body, and nowhere else"
        );
        if panicking() {
            return Landing::NotPlain(value);
        }
        let slot = MaybeUninit::new(value);
        // SAFETY: a block outlives its body. Only the body has this, so it runs, on its stack, which the resumer has
        // entered; that one takes a Y.
        match unsafe { (*self.entered).leave(&self.resumer, parcel::pack(&slot)) }.plain() {
            // SAFETY: it has just landed, and a resumer sends an R.
            Ok(word) => Landing::Value(unsafe { parcel::unpack(word) }),
            Err(message) => Landing::Rare(message),
        }
    }

    /// It is lent to the body, and cannot be lent further to who does not run on that stack. Not by what is sound: to
    /// leave it in a thread-local for the time of a call is wrong wherever stacks are switched.
    fn is_on_its_stack(&self) -> bool {
        let (low, size) = self.stack;
        stack_pointer().wrapping_sub(low) < size
    }

    /// That it does not yield, because a panic is on its way.
    #[cold]
    #[inline(never)]
    fn refused(value: Y) -> Raised {
        Raised::refused(SwitchError::Unwinding, Some(value))
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
