//! The report of a stack overflow.
//!
//! A [signal handler](handler) on an [alternate stack](alternate) recognises a fault in the guard
//! of a stack of the thread, names the greenlet and aborts. Every other fault goes to the handler
//! that was there before, so std's own report for ordinary threads keeps working.
//!
//! The handler is process-wide state, so it is installed when the first greenlet-using thread
//! appears and not before. It allocates nothing and takes no lock.

mod alternate;
mod context;
mod handler;

use std::fmt::{self, Write};
use std::ptr::NonNull;

pub(crate) use alternate::AlternateStack;

use super::Stack;

/// A fault of the interrupted thread.
pub(crate) struct Fault {
    pub(crate) address: usize,
    /// That of the code which has been interrupted, where this system is known to tell it.
    stack_pointer: Option<usize>,
}

/// Whose stack has overflowed, for the report.
pub(crate) struct Overflown {
    pub(crate) stack: Stack,
    pub(crate) id: u64,
    pub(crate) name: Option<NonNull<str>>,
    /// It is the stack of a generator, whose body has run as that greenlet.
    pub(crate) in_generator: bool,
}

/// Tells whose stack on the interrupted thread a fault is the overflow of, if it is one.
type Describe = fn(&Fault) -> Option<Overflown>;

/// Makes overflows on this thread's greenlets reportable for as long as the guard lives.
pub(crate) fn watch_thread(describe: Describe) -> Option<AlternateStack> {
    handler::install(describe);
    AlternateStack::unless_present()
}

impl Fault {
    /// Whether it is in the guard of this stack.
    pub(crate) fn is_in_guard_of(&self, stack: Stack) -> bool {
        (stack.guard()..stack.low()).contains(&self.address)
    }

    /// Whether the code that was interrupted ran on this stack, as far as that is known.
    pub(crate) fn ran_on(&self, stack: Stack) -> bool {
        let slot = stack.guard()..stack.guard() + stack.size();
        self.stack_pointer.is_some_and(|stack_pointer| slot.contains(&stack_pointer))
    }

    /// Whether it can be an overflow at all, as far as that is known: those happen near the stack
    /// pointer.
    pub(crate) fn is_near_the_stack_pointer(&self) -> bool {
        const NEAR: usize = 64 * 1024;
        self.stack_pointer.is_some_and(|stack_pointer| stack_pointer.abs_diff(self.address) < NEAR)
    }
}

impl Overflown {
    fn report(&self) {
        let kib = self.stack.size() / 1024;
        let mut text = Text::default();
        // A text that does not fit is cut. Long names are, so that the rest fits.
        let _ = write!(text, "\ngreenlet {}", self.id);
        if let Some(name) = self.name {
            // SAFETY: the name belongs to a greenlet that is alive.
            let _ = write!(text, " \"{:.100}\"", unsafe { name.as_ref() });
        }
        let (what, how) = if self.in_generator {
            ("the stack of a generator", "Generator::with_stack_size")
        } else {
            ("its stack", "Greenlet::builder().stack_size")
        };
        let _ = write!(
            text,
            " has overflowed {what} of {kib} KiB.\nGive it more with {how}({} * 1024).\nAborting.\n",
            2 * kib
        );
        // SAFETY: writes memory of our own. A failure cannot be told to anybody.
        unsafe { libc::write(libc::STDERR_FILENO, text.bytes.as_ptr().cast(), text.len) };
    }
}

/// Text without allocation.
struct Text {
    bytes: [u8; 1024],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 1024], len: 0 }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        Ok(())
    }
}
