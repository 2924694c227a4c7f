//! What travels between greenlets in place of a value.

use std::any::Any;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic;
use std::ptr;

use super::error::SwitchError;
use crate::report;

/// The payload that unwinds a greenlet which is killed, as in Python's greenlet.
///
/// Letting it escape the body is a normal end. It is not an error to catch it, but a body that
/// goes on regardless has refused to die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GreenletExit;

/// The payload that unwinds a [generator](super::Generator) which is closed or dropped, as in Python.
///
/// As with [`GreenletExit`]: a body that catches it is to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeneratorExit;

/// What a switch brought instead of a value: a panic, a kill, or the refusal to switch at all.
///
/// Returned by [`Greenlet::try_switch`](super::Greenlet::try_switch) and its kin;
/// [`switch`](super::Greenlet::switch) goes on as [`resume`](Self::resume) does.
pub struct Raised(Option<Box<Error>>);

/// What is raised if it is no [`GreenletExit`], which needs no memory: kills are many.
enum Error {
    Panic(Box<dyn Any + Send>),
    Refused { error: SwitchError, value: Option<Box<dyn Any>> },
}

impl Raised {
    pub(crate) fn exit() -> Self {
        Self(None)
    }

    pub(crate) fn generator_exit() -> Self {
        Self::of(Error::Panic(Box::new(GeneratorExit)))
    }

    /// From the payload of a panic; that of a kill becomes one again.
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        if payload.is::<GreenletExit>() { Self::exit() } else { Self::of(Error::Panic(payload)) }
    }

    /// `value` is what could not be sent.
    pub(crate) fn refused<T: 'static>(error: SwitchError, value: Option<T>) -> Self {
        let value = value.map(|value| Box::new(value) as Box<dyn Any>);
        Self::of(Error::Refused { error, value })
    }

    fn of(error: Error) -> Self {
        Self(Some(Box::new(error)))
    }

    /// Whether a greenlet ended because it was killed ([`GreenletExit`]).
    pub fn is_exit(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a generator is to end because it was closed or dropped ([`GeneratorExit`]).
    pub fn is_generator_exit(&self) -> bool {
        matches!(self.0.as_deref(), Some(Error::Panic(payload)) if payload.is::<GeneratorExit>())
    }

    /// Why the switch was refused, if it was. Nothing has moved in that case.
    pub fn refusal(&self) -> Option<&SwitchError> {
        match self.0.as_deref()? {
            Error::Refused { error, .. } => Some(error),
            Error::Panic(_) => None,
        }
    }

    /// The value that a refused switch did not send. It can be taken once.
    pub fn take_value<T: 'static>(&mut self) -> Option<T> {
        match self.0.as_deref_mut()? {
            Error::Refused { value, .. } if value.as_ref().is_some_and(|value| value.is::<T>()) => {
                value.take()?.downcast().ok().map(|value| *value)
            }
            _ => None,
        }
    }

    /// The message of a panic, if it has one.
    pub fn message(&self) -> Option<&str> {
        match self.0.as_deref()? {
            Error::Panic(payload) => payload_message(&**payload),
            Error::Refused { .. } => None,
        }
    }

    /// The payload, as [`std::panic::catch_unwind`] would have returned it.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match self.0.map(|error| *error) {
            None => Box::new(GreenletExit),
            Some(Error::Panic(payload)) => payload,
            Some(Error::Refused { error, .. }) => Box::new(error),
        }
    }

    /// Raises it here: goes on with the panic, unwinds with [`GreenletExit`], or panics with the
    /// reason of the refusal.
    #[track_caller]
    #[cold]
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload_to_unwind())
    }

    /// The payload that [`resume`](Self::resume) unwinds with.
    #[track_caller]
    #[cold]
    #[inline(never)]
    pub(crate) fn into_payload_to_unwind(self) -> Box<dyn Any + Send> {
        match self.refusal() {
            Some(error) => panic!("{error}"),
            None => self.into_payload(),
        }
    }

    /// What a call returns that raises its error. It is for rare cases: what often brings a value looks at it
    /// first.
    #[cold]
    #[track_caller]
    pub(crate) fn or_raise<T>(result: Result<T, Self>) -> T {
        match result {
            Ok(value) => value,
            Err(raised) => raised.resume(),
        }
    }

    /// Drops it, whatever its payload's destructor does.
    pub(crate) fn discard(self) {
        report::discard(self);
    }

    pub(crate) fn into_word(self) -> MaybeUninit<usize> {
        MaybeUninit::new(self.0.map_or(0, |error| Box::into_raw(error).expose_provenance()))
    }

    /// # Safety
    ///
    /// The word came from [`into_word`](Self::into_word) and is used once.
    pub(crate) unsafe fn from_word(word: MaybeUninit<usize>) -> Self {
        // SAFETY: the caller's word.
        let error = ptr::with_exposed_provenance_mut::<Error>(unsafe { word.assume_init() });
        // SAFETY: `into_word` made it from a box, if it is not null.
        Self((!error.is_null()).then(|| unsafe { Box::from_raw(error) }))
    }
}

/// The text of a panic's payload, where it is text.
pub(crate) fn payload_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => f.write_str("the greenlet was killed"),
            Some(_) if self.is_generator_exit() => f.write_str("the generator was closed"),
            Some(Error::Panic(payload)) => match payload_message(&**payload) {
                Some(message) => write!(f, "the greenlet panicked: {message}"),
                None => f.write_str("the greenlet panicked"),
            },
            Some(Error::Refused { error, .. }) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None => f.write_str("Exit"),
            Some(Error::Panic(payload)) => {
                f.debug_tuple("Panic").field(&payload_message(&**payload)).finish()
            }
            Some(Error::Refused { error, .. }) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}

impl std::error::Error for Raised {}
