//! What the side that lands does for the side that left.
//!
//! A trace hook is told of the switch, and a greenlet that nothing refers to any more is ended. Both
//! may run any code, further switches included, so they run on the stack that is being continued,
//! before it continues, and the message waits on nobody's stack.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::core::Core;
use super::counting;
use super::life;
use super::tag::Tag;
use super::thread::current;
use super::trace::{self, EventKind};
use crate::arch::{self, Message};
use crate::tls::{self, Base};

/// What is left to do after a switch.
pub(crate) struct Chore {
    /// Who left, with a count that keeps its block. It may be dead.
    left: NonNull<Core>,
    /// What the trace hooks are told, if there are any.
    event: Option<EventKind>,
    /// Drops a message that is not delivered.
    discard: unsafe fn(Message),
}

impl Chore {
    /// The chore of leaving `left`, if there is one.
    #[inline]
    pub(crate) fn of(left: &Core, event: EventKind, discard: unsafe fn(Message)) -> Option<Self> {
        let event = left.thread().is_traced().then_some(event);
        if event.is_none() && left.refs.get() > 0 {
            return None;
        }
        counting::retain(NonNull::from(left));
        Some(Self { left: NonNull::from(left), event, discard })
    }

    /// Does it, on the current stack, which is the target's; returns what the target gets.
    pub(crate) fn settle(self, mut message: Message) -> Message {
        if let Some(event) = self.event
            && let Err(raised) = trace::tell(event, self.left, current())
        {
            // SAFETY: this keeps it, and the message is not delivered, but what was raised.
            unsafe { life::quietly(self.left.as_ref(), || (self.discard)(message)) };
            message = super::parcel::raised(raised);
        }
        counting::release(self.left);
        message
    }
}

/// Suspends `from` where it is called and continues `to`: with the chore done, which needs the message to
/// be on nobody's stack, and with the thread-local storage at `base` in force, where that is another one.
///
/// # Safety
///
/// `to` is current, suspended or just prepared, and takes the message; the base is what was told as it
/// became current.
#[cold]
pub(crate) unsafe fn switch(
    chore: Option<Chore>,
    from: &Core,
    to: &Core,
    message: Message,
    base: Option<Base>,
) -> Message {
    // Where `on_target` looks: at the end of a thread the two may have states of their own.
    to.thread().chore.set(chore);
    // SAFETY: the caller's word; `on_target` does not unwind.
    unsafe {
        match base {
            None => arch::switch_call(&from.continuation, &to.continuation, message, on_target),
            Some(base) => tls::switch_call(&from.continuation, &to.continuation, message, on_target, base),
        }
    }
}

/// As [`switch`], and gives the current stack up.
///
/// # Safety
///
/// As for [`switch`].
#[cold]
pub(crate) unsafe fn resume(chore: Option<Chore>, to: &Core, message: Message, base: Option<Base>) -> ! {
    to.thread().chore.set(chore);
    // SAFETY: the caller's word; `on_target` does not unwind.
    unsafe {
        match base {
            None => arch::resume_call(&to.continuation, message, on_target),
            Some(base) => tls::resume_call(&to.continuation, message, on_target, base),
        }
    }
}

/// Runs on the stack that is being continued.
unsafe extern "C" fn on_target(word: MaybeUninit<usize>, kind: usize) -> Message {
    let message = Message { word, kind };
    // SAFETY: what is current is alive.
    let core = unsafe { current().as_ref() };
    core.continuation.landed();
    match core.thread().chore.take() {
        Some(chore) => {
            // What the chore runs may wait, here on the stack of one that waits already.
            if core.waits_for.get() == Tag::PARKED
                && let Some(scheduler) = core.thread().scheduler.get()
            {
                (scheduler.runs)(core);
            }
            chore.settle(message)
        }
        None => message,
    }
}
