//! What is to be raised in a greenlet where it waits.

use std::any::Any;
use std::cell::Cell;
use std::mem::swap;
use std::panic;

/// Something to be raised in a greenlet where it waits.
pub(crate) enum Interrupt {
    /// Unwinds with the payload, without a call of the panic hook.
    Unwind(Cause, Box<dyn Any + Send>),
    /// Panics with the text.
    Panic(String),
}

/// Who interrupts, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Kill,
    Timeout(u64),
}

impl Interrupt {
    pub(crate) fn panic(text: String) -> Self {
        Self::Panic(text)
    }

    #[track_caller]
    pub(super) fn raise(self) -> ! {
        match self {
            Self::Unwind(_, payload) => panic::resume_unwind(payload),
            Self::Panic(text) => panic!("{text}"),
        }
    }

    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Unwind(cause, _) => Some(*cause),
            Self::Panic(_) => None,
        }
    }

    fn is_caused_by(&self, cause: Cause) -> bool {
        self.cause() == Some(cause)
    }
}

/// All that is to be raised in one greenlet, in this order, and once for each cause.
///
/// An allocator may let others run, who may add something as well. So nothing here allocates or frees while the
/// list is out of its place.
#[derive(Default)]
pub(super) struct Interrupts {
    first: Cell<List>,
}

type List = Option<Box<Due>>;

pub(super) struct Due {
    interrupt: Interrupt,
    next: List,
}

impl Interrupts {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: only this thread looks at the cell, and nobody else while this does.
        unsafe { &*self.first.as_ptr() }.is_none()
    }

    /// Adds one, which takes the place of another of the same cause. What is returned may do anything when it is
    /// dropped.
    pub(super) fn add(&self, interrupt: Interrupt) -> Option<Box<Due>> {
        let cause = interrupt.cause();
        let mut new = Box::new(Due { interrupt, next: None });
        let mut first = self.first.take();
        let mut end = &mut first;
        while let Some(due) = end {
            if cause.is_some_and(|cause| due.interrupt.is_caused_by(cause)) {
                swap(&mut due.interrupt, &mut new.interrupt);
                self.first.set(first);
                return Some(new);
            }
            end = &mut due.next;
        }
        *end = Some(new);
        self.first.set(first);
        None
    }

    /// Takes back what is wanted no more.
    pub(super) fn cancel(&self, cause: Cause) {
        let (mut all, mut left, cancelled) = (self.first.take(), None, Self::default());
        let mut end = &mut left;
        while let Some(mut due) = all {
            all = due.next.take();
            if due.interrupt.is_caused_by(cause) {
                due.next = cancelled.first.take();
                cancelled.first.set(Some(due));
            } else {
                end = &mut end.insert(due).next;
            }
        }
        self.first.set(left);
        // Dropped when all is in its place again: a payload may be anything.
        drop(cancelled);
    }

    pub(super) fn take_first(&self) -> Option<Interrupt> {
        let mut first = self.first.take()?;
        self.first.set(first.next.take());
        Some(first.interrupt)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // One after the other: of a long list each would drop the next one within its own drop.
        while let Some(interrupt) = self.take_first() {
            drop(interrupt);
        }
    }
}
