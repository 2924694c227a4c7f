//! What is more than to enter a generator where it is suspended. Its block knows where that is meanwhile.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::thread::panicking;

use super::Step;
use super::block::{self, Block, RETURNED, Returning, State};
use crate::arch::{Message, StackPointer};
use crate::greenlet::error::{KillError, SwitchError};
use crate::greenlet::life::{self, CAN_UNWIND};
use crate::greenlet::raised::Raised;
use crate::greenlet::{parcel, thread};
use crate::report::{Report, ReportKind};

/// Calls with a block that knows where its body is suspended, though it was the generator itself that did. Returns
/// what the generator is to know from then on.
pub(super) fn with_place<T, X>(
    this: NonNull<Returning<T>>,
    plain: StackPointer,
    call: impl FnOnce(NonNull<Returning<T>>) -> X,
) -> (X, StackPointer) {
    // SAFETY: the caller has it.
    let block = unsafe { &this.as_ref().block };
    block.take_over(plain);
    (call(this), block.hand_out())
}

/// Resumes one for the first time, or where something stands in the way.
// A call that is told nothing of where the generator is: so a loop of resumes has that in registers.
#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn resume<R: 'static, Y: 'static, T: 'static>(
    this: NonNull<Returning<T>>,
    plain: StackPointer,
    value: R,
) -> (Result<Step<Y, T>, Raised>, StackPointer) {
    // SAFETY: the caller has it.
    unsafe { this.as_ref() }.block.refuse_if_over();
    with_place(this, plain, |this| match prepare(this) {
        // SAFETY: it waits for an R, or begins with one, and sends a Y.
        Ok(this) => unsafe { this.send(parcel::packed(&MaybeUninit::new(value))) },
        Err(error) => Err(Raised::refused(error, Some(value))),
    })
}

/// Says that a thread which unwinds resumes none.
#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn refuse<R: 'static, Y: 'static, T: 'static>(
    this: &Returning<T>,
    value: R,
) -> Result<Step<Y, T>, Raised> {
    this.block.refuse_if_over();
    Err(Raised::refused(SwitchError::Unwinding, Some(value)))
}

/// As [`resume`], but goes on with what is raised.
#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn resume_or_raise<R: 'static, Y: 'static, T: 'static>(
    this: NonNull<Returning<T>>,
    plain: StackPointer,
    value: R,
) -> (Step<Y, T>, StackPointer) {
    match resume(this, plain, value) {
        (Ok(step), plain) => (step, plain),
        (Err(raised), plain) => {
            // SAFETY: the caller has it.
            unsafe { this.as_ref() }.block.take_over(plain);
            raised.resume()
        }
    }
}

/// Raises something in one that is not over.
#[cold]
pub(super) fn throw<Y: 'static, T: 'static>(
    this: NonNull<Returning<T>>,
    error: Raised,
) -> Result<Step<Y, T>, Raised> {
    // SAFETY: the caller has it.
    if unsafe { this.as_ref() }.block.state() == State::Unstarted {
        return Err(match Block::end_unstarted(this.cast()) {
            Ok(()) => error,
            Err(panic) => {
                error.discard();
                panic
            }
        });
    }
    let ready = match () {
        () if !CAN_UNWIND => Err(SwitchError::CannotUnwind),
        () if panicking() => Err(SwitchError::Unwinding),
        () => prepare(this),
    };
    match ready {
        // SAFETY: anybody takes what is raised, and it sends a Y.
        Ok(this) => unsafe { this.send(parcel::raised(error)) },
        Err(refusal) => {
            error.discard();
            Err(Raised::refused::<()>(refusal, None))
        }
    }
}

/// Ends one, unless it is over.
#[cold]
pub(super) fn close<Y: 'static, T: 'static>(this: NonNull<Returning<T>>) -> Result<(), KillError> {
    // SAFETY: the caller has it.
    let block = unsafe { &this.as_ref().block };
    match block.state() {
        State::Over => Ok(()),
        State::Unstarted => Block::end_unstarted(this.cast()).map_err(KillError::Panicked),
        State::Started if !CAN_UNWIND => Err(KillError::CannotUnwind),
        State::Started if !block.is_at_home() => Err(KillError::OtherStorage),
        // SAFETY: it is suspended where it is at home, and sends a Y.
        State::Started => unsafe { this.as_ref().unwind::<Y>() },
    }
}

/// Ends a generator that nobody has any more. What its body panics with is raised, unless there is a panic on its way.
///
/// One that runs is left behind by what ends, and stays as it is.
pub(super) fn end<Y: 'static, T: 'static>(this: NonNull<Returning<T>>, plain: StackPointer) {
    // SAFETY: the caller has it.
    let block = unsafe { &this.as_ref().block };
    block.take_over(plain);
    if block.is_running() {
        return;
    }
    let raised = if block.state() == State::Started { close_or_leak::<Y, T>(this) } else { None };
    if block.state() != State::Started {
        // SAFETY: its body does not stand, and nobody else has it.
        unsafe { block::free(this) };
    }
    if let Some(raised) = raised {
        raised.resume();
    }
}

/// As [`close`], where nobody is told of errors: one that does not end is leaked, and that is reported. Returns what is
/// to be raised.
#[cold]
fn close_or_leak<Y: 'static, T: 'static>(this: NonNull<Returning<T>>) -> Option<Raised> {
    // SAFETY: the caller has it.
    let block = unsafe { &this.as_ref().block };
    // What it yields instead may panic as it is dropped.
    let closed = catch_unwind(AssertUnwindSafe(|| close::<Y, T>(this)))
        .unwrap_or_else(|payload| Err(KillError::Panicked(Raised::from_payload(payload))));
    let (raised, error) = match closed {
        Ok(()) => return None,
        Err(KillError::Panicked(raised)) => (Some(raised), KillError::Refused),
        Err(error) => (None, error),
    };
    if block.state() == State::Started {
        block.leak();
        Report::new(ReportKind::Abandoned, &describe(), &error).send();
    }
    if panicking()
        && let Some(raised) = raised
    {
        Report::new(ReportKind::PanickedWhileDropped, &describe(), &raised).send();
        raised.discard();
        return None;
    }
    raised
}

/// How a report names a generator.
fn describe() -> String {
    // SAFETY: the current greenlet is alive.
    format!("a generator in {}", life::describe(unsafe { thread::current().as_ref() }))
}

/// Looks what stands in the way of a resume, and prepares one that has not started.
fn prepare<'a, T>(this: NonNull<Returning<T>>) -> Result<&'a Returning<T>, SwitchError> {
    // SAFETY: the caller has it.
    let returning = unsafe { this.as_ref() };
    if returning.block.state() == State::Unstarted {
        Block::start(this.cast())?;
    }
    if returning.block.is_at_home() { Ok(returning) } else { Err(SwitchError::OtherStorage) }
}

impl<T: 'static> Returning<T> {
    /// Sends a message to the suspended body, and says what comes back.
    ///
    /// # Safety
    ///
    /// The body is suspended, takes the message, sends a Y, and finds the thread-local storage that it knows.
    unsafe fn send<Y>(&self, message: Message) -> Result<Step<Y, T>, Raised> {
        let (entered, place) = (&self.block.entered, &self.block.suspended_at);
        // SAFETY: it is suspended there, nobody else has it; and the caller's word.
        let (landed, left_at) = unsafe {
            match message.kind {
                parcel::VALUE => entered.enter(place.get(), message.word),
                _ => entered.enter_out_of_line(place.get(), message),
            }
        };
        place.set(left_at);
        match landed.plain() {
            // SAFETY: it has just landed, and is a Y.
            Ok(word) => Ok(Step::Yielded(unsafe { parcel::unpack(word) })),
            // SAFETY: it has just landed.
            Err(message) => unsafe { self.left(message) }.map(Step::Returned),
        }
    }

    /// Raises the exit in the suspended body. That may be done while a panic is on its way.
    ///
    /// # Safety
    ///
    /// The body is suspended, sends a Y, and finds the thread-local storage that it knows.
    unsafe fn unwind<Y>(&self) -> Result<(), KillError> {
        // SAFETY: the caller's word; anybody takes what is raised.
        match unsafe { self.send::<Y>(parcel::raised(Raised::generator_exit())) } {
            Ok(Step::Yielded(_)) => Err(KillError::Refused),
            Ok(Step::Returned(_)) => Ok(()),
            Err(raised) if raised.is_generator_exit() => Ok(()),
            // It was the caller that was killed, in the body.
            Err(raised) if raised.is_exit() => raised.resume(),
            Err(raised) => Err(KillError::Panicked(raised)),
        }
    }

    /// What a body has left that has ended.
    ///
    /// # Safety
    ///
    /// The message has landed where the body was entered, is no value, and is used once.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn left(&self, landed: Message) -> Result<T, Raised> {
        if landed.kind == RETURNED {
            Ok(self.result.take().expect("left by what returned"))
        } else {
            // SAFETY: the caller's word.
            Err(unsafe { parcel::open_raised(landed) })
        }
    }

    /// As [`left`](Self::left), but goes on with what is raised.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(super) unsafe fn left_or_raised(&self, landed: Message) -> T {
        // SAFETY: the caller's word.
        Raised::or_raise(unsafe { self.left(landed) })
    }
}
